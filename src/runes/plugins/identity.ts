import { IDENTITY_FILES } from '../../root/installed/identity-files.ts';
import { asUuid, derivedId, isMachineId } from '../../root/installed/machine-id.ts';
import { definePlugin } from '../engine/plugin.ts';
import type { NewRoot } from '../new-root.ts';

const ISCSI = '/etc/iscsi/initiatorname.iscsi';
const DEFAULT_ISCSI_NAME = 'iqn.1993-08.org.debian:01';
const NVME_NQN = '/etc/nvme/hostnqn';
const NVME_ID = '/etc/nvme/hostid';

function forgetFiles(root: NewRoot): void {
  for (const { directory, name, why } of IDENTITY_FILES) {
    for (const one of root.names(directory)) {
      const path = `${directory}/${one}`;
      if (!name.test(one) || !root.isOfImage(path)) continue;
      root.remove(path);
      root.note(`${path} is not used: ${why}`);
    }
  }
}

/** Two machines of one name at a storage server write to the same disk as if they were one. */
function renameInitiators(root: NewRoot, machineId: string): void {
  const write = (path: string, text: string) => {
    if (root.isOfImage(path)) root.write(path, text, 0o600);
  };
  const image = /^\s*InitiatorName=(\S+)$/m.exec(root.read(ISCSI) ?? '')?.[1];
  const iscsi = derivedId(machineId, 'iscsi').slice(0, 12);
  write(
    ISCSI,
    `# VIVER: a name of this machine's own\nInitiatorName=${image?.replace(/:[^:]*$/, '') ?? DEFAULT_ISCSI_NAME}:${iscsi}\n`,
  );
  const nvme = asUuid(derivedId(machineId, 'nvme'));
  write(NVME_NQN, `nqn.2014-08.org.nvmexpress:uuid:${nvme}\n`);
  write(NVME_ID, `${nvme}\n`);
}

export default definePlugin({
  name: 'identity',
  summary: 'random seeds, DHCP identities and initiator names of the image are not shared by the machines that run it',
  prepare(root) {
    forgetFiles(root);
    // Written by `hostname`, which comes before this.
    const id = root.read('/etc/machine-id')?.trim() ?? '';
    if (isMachineId(id)) renameInitiators(root, id);
  },
});
