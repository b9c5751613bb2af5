import { MASKS, UNIT_DIRECTORIES } from '../root/installed/units.ts';
import type { NewRoot } from './new-root.ts';

const RUNIT_DIRECTORIES = ['/etc/runit/runsvdir/default', '/etc/service', '/service'];

/**
 * Keeps the image's init system from starting a service. For systemd nothing is written into the image; for others its
 * entry in a run level goes, or a file `down` is put beside it.
 * @param name without a suffix; with one (`x.path`) it is a unit of systemd's only
 * @returns whether there was anything to disable
 */
export function disableService(root: NewRoot, name: string): boolean {
  switch (root.init) {
    case 'systemd': {
      const unit = /\.(service|socket|path|timer|target|mount)$/.test(name) ? name : `${name}.service`;
      if (!UNIT_DIRECTORIES.some((directory) => root.has(`${directory}/${unit}`))) return false;
      root.link(`${MASKS}/${unit}`, '/dev/null');
      return true;
    }
    case 'sysvinit':
    case 'openrc': {
      const levels =
        root.init === 'openrc' ? root.names('/etc/runlevels').map((level) => `/etc/runlevels/${level}`) : [];
      const entries = [
        ...levels.map((level) => `${level}/${name}`),
        ...[...'S0123456'].flatMap((level) =>
          root
            .names(`/etc/rc${level}.d`)
            .filter((entry) => entry.replace(/^S\d\d/, '') === name)
            .map((entry) => `/etc/rc${level}.d/${entry}`),
        ),
      ].filter((entry) => root.has(entry));
      for (const entry of entries) root.remove(entry);
      return entries.length > 0;
    }
    case 'runit': {
      const services = RUNIT_DIRECTORIES.map((directory) => `${directory}/${name}`).filter((path) => root.has(path));
      // Beside `run`, through the link by which it is enabled.
      for (const service of services) root.write(`${service}/down`, '');
      return services.length > 0;
    }
    case 'busybox':
    case 'unknown':
      return false;
  }
}
