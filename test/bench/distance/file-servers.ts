/** Servers of an image that are not VIVER's, on a host of a wire. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vmDirectory } from '../../vm/harness/products.ts';
import type { WireHost } from '../../vm/harness/wire-host.ts';

/** nbd-server with the image as its export `image`, at port 10809. */
export async function serveNbd(host: WireHost, image: string): Promise<void> {
  const home = vmDirectory('hosts', `${host.name}-nbd`);
  const config = join(home, 'config');
  writeFileSync(config, `[generic]\nallowlist = true\nport = 10809\n[image]\nexportname = ${image}\nreadonly = true\n`);
  await host.serve(10809, 'nbd-server', ['-d', '-C', config, '-p', join(home, 'pid')]);
}

/** Why there is no NFS server on this machine; undefined: there is. */
export function whyNoNfs(): string | undefined {
  return existsSync('/usr/bin/ganesha.nfsd') ? undefined : "ganesha.nfsd is not here (Debian's nfs-ganesha-vfs)";
}

/** The image as a file and as a tree, by NFS 4 at port 2049: /share/image.sqfs and /share/tree (NFS-Ganesha). */
export async function serveNfs(host: WireHost, image: string): Promise<AsyncDisposable> {
  const home = vmDirectory('hosts', `${host.name}-nfs`);
  const share = join(home, 'share');
  rmSync(share, { recursive: true, force: true });
  mkdirSync(share, { recursive: true });
  execFileSync('cp', ['--reflink=auto', image, join(share, 'image.sqfs')]);
  execFileSync('unsquashfs', ['-q', '-n', '-d', join(share, 'tree'), image], { stdio: 'ignore' });
  const config = join(home, 'ganesha.conf');
  writeFileSync(
    config,
    `NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; }
NFSv4 { Graceless = true; Only_Numeric_Owners = true; RecoveryBackend = fs; RecoveryRoot = ${home}/recovery; }
EXPORT { Export_Id = 1; Path = ${share}; Pseudo = /share; Access_Type = RO; Squash = None; SecType = sys;
  Protocols = 4; Transports = TCP; FSAL { Name = VFS; } }
`,
  );
  mkdirSync(join(home, 'recovery'), { recursive: true });
  const words = ['-F', '-f', config, '-L', join(home, 'log'), '-p', join(home, 'pid')];
  const child = await host.serve(2049, 'ganesha.nfsd', words);
  return {
    async [Symbol.asyncDispose]() {
      await host.kill(child);
      rmSync(share, { recursive: true, force: true });
    },
  };
}
