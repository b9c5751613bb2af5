import { CONTAINER_MARKS, forbidsAll, POLICY, RC_CONF, rcConfOfMachine } from '../../root/installed/container-marks.ts';
import {
  asksForCloud,
  FIRST_BOOT_SERVICES,
  GDM_FILES,
  gdmWithoutWizard,
  HIDDEN_ENTRY,
  WIZARD_ENTRIES,
} from '../../root/installed/first-boot.ts';
import { disableService } from '../disable-service.ts';
import { definePlugin } from '../engine/plugin.ts';
import type { NewRoot } from '../new-root.ts';

const CLOUD_PROGRAMS = ['/usr/bin/cloud-init', '/usr/local/bin/cloud-init', '/bin/cloud-init'];
const CLOUD_DISABLED = '/etc/cloud/cloud-init.disabled';

function quietenWizards(root: NewRoot): void {
  for (const { name, why } of FIRST_BOOT_SERVICES) {
    if (disableService(root, name)) root.note(`${name} is not started: it ${why}`);
  }
  for (const path of WIZARD_ENTRIES) {
    if (!root.isOfImage(path)) continue;
    root.write(path, HIDDEN_ENTRY);
    root.note(`${path} is not started: it asks a person at the first login`);
  }
  for (const path of GDM_FILES) {
    const before = root.isOfImage(path) ? root.read(path) : undefined;
    const text = gdmWithoutWizard(before ?? '');
    if (before === undefined || text === before) continue;
    root.write(path, text);
    root.note(`${path}: no wizard`);
  }
}

function quietenCloud(root: NewRoot): void {
  if (!CLOUD_PROGRAMS.some((path) => root.has(path)) || root.has(CLOUD_DISABLED)) return;
  if (asksForCloud(root.machine.commandLine)) {
    root.note('cloud-init works: the command line asks for it');
    return;
  }
  root.write(
    CLOUD_DISABLED,
    '# VIVER: no cloud is waited for, unless the kernel command line says cloud-init=enabled\n',
  );
  root.note('cloud-init is disabled: it would wait for a cloud');
}

function forgetContainer(root: NewRoot): void {
  const marks = CONTAINER_MARKS.filter((path) => root.has(path));
  for (const path of marks) root.remove(path);
  if (marks.length > 0) root.note(`${marks.join(', ')}: this is no container`);
  if (marks.length > 0 && root.isOfImage(POLICY) && forbidsAll(root.read(POLICY) ?? '')) {
    root.remove(POLICY);
    root.note(`${POLICY}: services may be started, this is no container`);
  }
  const rcConf = root.init === 'openrc' ? rcConfOfMachine(root.read(RC_CONF) ?? '') : undefined;
  if (rcConf === undefined) return;
  root.write(RC_CONF, rcConf);
  root.note(`${RC_CONF}: rc_sys: this is no container`);
}

export default definePlugin({
  name: 'first-boot',
  summary: 'no wizard, cloud or mark of a container keeps the system from booting as on a machine of its own',
  prepare(root) {
    quietenWizards(root);
    quietenCloud(root);
    forgetContainer(root);
  },
});
