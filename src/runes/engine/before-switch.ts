import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../linux/describe-error.ts';
import type { InitSystem } from '../../root/find-init.ts';
import { readHardwareMarks } from '../hardware-marks.ts';
import { type Machine, readMachine } from '../machine.ts';
import { openNewRoot } from '../new-root.ts';
import { hostnameFor } from '../plugins/hostname.ts';
import { writeFixedRole } from './fixed-role.ts';
import { type LoadedRunes, loadRunesOrBasics } from './load.ts';
import { planService } from './service.ts';

export interface BeforeSwitchOptions {
  /** Where the new root is put together. */
  readonly target: string;
  /** Where the image itself is mounted. */
  readonly image: string;
  readonly init: InitSystem;
  /** Where the root lies: what PXE started may have found the image on a disk. */
  readonly booted: Machine['booted'];
  /** What was done and why, for boot.json. */
  readonly note: (what: string, why: string) => void;
  readonly warn: (text: string) => void;
  /** Told of each path below the root that a plugin writes or removes. */
  readonly wrote?: (path: string) => void;
}

/** By the name that it will have, roles are chosen; before the switch the kernel knows none. */
function machineToBe(machine: Machine, target: string): Machine {
  const file = join(target, '/etc/hostname');
  const inImage = lstatSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file, 'utf8') : undefined;
  const { uuid } = readHardwareMarks(machine);
  const hostname = hostnameFor({ ...machine, uuid, chance: '' }, inImage);
  return Object.defineProperties(
    { ...machine, hostname },
    {
      addresses: Object.getOwnPropertyDescriptor(machine, 'addresses') ?? {},
    },
  );
}

/**
 * RUNES' first moment: the plugins of this machine's role set things in the new root, and `viver runes` is made to start
 * after the switch. Nothing that fails here stops the boot: it is warned of.
 */
export async function beforeSwitch(options: BeforeSwitchOptions): Promise<void> {
  const { target, image, init, booted, note, warn, wrote = () => {} } = options;
  let runes: LoadedRunes;
  try {
    runes = loadRunesOrBasics({ machine: machineToBe(readMachine({ booted }), target), roots: ['', target] });
    writeFixedRole({ name: runes.role.name, why: runes.why });
  } catch (error) {
    warn(`no plugin runs: ${describeError(error)}`);
    return;
  }
  for (const problem of runes.problems) warn(problem);
  const { machine, role } = runes;
  const opened = openNewRoot(target, { machine, role: role.name, init, image, note: () => undefined, wrote });
  const open = (noteOf: (what: string) => void) => ({ ...opened, note: noteOf });
  note(`role ${runes.role.name}`, runes.why);
  for (const plugin of runes.graph.order) {
    if (plugin.prepare === undefined) continue;
    const root = open((what) => note(`plugin ${plugin.name}`, what));
    try {
      await plugin.prepare(root);
    } catch (error) {
      warn(`plugin ${plugin.name}: ${describeError(error)}`);
    }
  }
  if (!runes.graph.order.some(({ start }) => start !== undefined)) return;
  try {
    const root = open((what) => note('runes', what));
    const plan = planService(init, root);
    for (const { path, text, mode } of plan.files) root.write(path, text, mode);
    for (const { path, target: to } of plan.links) root.link(path, to);
    root.note(plan.note);
  } catch (error) {
    warn(`viver runes is not started: ${describeError(error)}`);
  }
}
