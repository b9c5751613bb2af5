import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isSea } from 'node:sea';
import { type Program, programBelow } from '../../runes/kept-program.ts';

const PARTS = 'viver.spdx.json';
/** Where the wrapper `bin/viver` of the kit says that the kit lies. */
const KIT_VARIABLE = 'VIVER_KIT';
/** Administrators' programs are not in everybody's PATH. */
const MORE_PLACES = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** What VIVER is made of besides its executable: installed (the kit), or made in a checkout by `make`. */
export interface KitFiles {
  /** Lists and files to be edited: `initrd/` of a checkout. */
  readonly tables: string;
  /** Programs and libraries of every initrd, laid out as they lie there. */
  readonly programs: string;
  /** What the first stage of a boot with Secure Boot by network has besides modules, laid out as in its archive. */
  readonly firstStage: string;
  /** The executable that becomes /init. */
  readonly executable: string;
  /** Boot loaders of an ISO. */
  readonly loaders: string;
  /** Which package each file is of: an SPDX list, made by scripts/kit/parts.ts. */
  readonly parts: string;
  /** Programs that the work itself needs, with their libraries; undefined: this machine's own. */
  readonly tools: string | undefined;
}

/** The kit at that directory, as `make kit` lays it out. */
export function kitAt(directory: string): KitFiles {
  const programs = join(directory, 'programs');
  return {
    tables: join(directory, 'initrd'),
    programs,
    firstStage: join(directory, 'first-stage'),
    executable: join(programs, 'init'),
    loaders: join(directory, 'loaders'),
    parts: join(directory, '../../share/doc/viver', PARTS),
    tools: join(directory, 'tools'),
  };
}

/** A checkout's, after `make initrd`. */
export function checkoutAt(directory: string): KitFiles {
  const build = join(directory, 'build');
  return {
    tables: join(directory, 'initrd'),
    programs: join(build, 'programs'),
    firstStage: join(build, 'first-stage'),
    executable: join(build, 'viver'),
    loaders: join(build, 'loaders'),
    parts: join(build, 'parts', PARTS),
    tools: undefined,
  };
}

/**
 * The files of this VIVER.
 * @throws Error when this executable stands alone, with what to do
 */
export function findKit(environment: NodeJS.ProcessEnv = process.env): KitFiles {
  const named = environment[KIT_VARIABLE];
  if (named !== undefined && named !== '') return checked(kitAt(resolve(named)));
  const checkout = isSea() ? dirname(dirname(process.execPath)) : resolve(import.meta.dirname, '../../..');
  return checked(checkoutAt(checkout));
}

function checked(kit: KitFiles): KitFiles {
  if (!existsSync(join(kit.tables, 'modules.list'))) {
    throw new Error(
      `the files of the kit are not here (${kit.tables}): install the package viver, or run the viver of an unpacked viver-kit.tar.zst`,
    );
  }
  if (!existsSync(kit.programs)) throw new Error(`${kit.programs} is missing: make initrd`);
  return kit;
}

/**
 * How a program is started that the work needs: the kit's own, else this machine's.
 * @param from the Debian package that has it
 * @throws Error when there is none
 */
export function kitTool(kit: KitFiles, name: string, from: string): Program {
  if (kit.tools !== undefined) {
    const own = ['usr/bin', 'usr/sbin', 'bin', 'sbin'].find((place) => existsSync(join(kit.tools ?? '', place, name)));
    if (own !== undefined) return programBelow(join(own, name), kit.tools);
  }
  const places = [...(process.env.PATH ?? '').split(':'), ...MORE_PLACES].filter((place) => place !== '');
  const found = places.map((place) => join(place, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is not installed (Debian package ${from})`);
  return { command: found, args: [] };
}
