import { tellOthersBoot } from '../../field/control.ts';
import type { FieldStatus } from '../../field/status.ts';
import { describeError } from '../../linux/describe-error.ts';
import type { BootSteering, PublishedStatus } from '../engine/interfaces.ts';
import { definePlugin } from '../engine/plugin.ts';
import { NO_SETTINGS } from '../engine/role-settings.ts';
import { fieldKeyWords } from '../kept-program.ts';
import { type BootNews, BootProgress, fileNews } from '../overview/boot-progress.ts';
import { ownStatus } from '../own-status.ts';
import { type Extent, fetchStatuses } from '../peers.ts';
import { FIELD_SOCKET, HTTP_PORT } from '../places.ts';
import { logOfAskers, RateLimit } from '../rate-limit.ts';
import { isSecureBoot } from '../secure-boot.ts';
import { BOOT_FILES, findBootFiles, LOWER } from '../web/boot-files.ts';
import { type BootPlan, grubOf, ipxeOf } from '../web/boot-plan.ts';
import {
  againToDiskScript,
  askMacScript,
  type BootScript,
  inheritedWords,
  taggedAskScript,
  toDiskScript,
} from '../web/boot-script.ts';
import { cached } from '../web/cached.ts';
import { clientHostname, clientRole, imageHostname, macOf } from '../web/client-role.ts';
import { FileSum } from '../web/file-sum.ts';
import { initrdFrom, SlowLoads, type WholeInitrd } from '../web/first-stage.ts';
import { inFlightsOf } from '../web/flight.ts';
import { ownerOf } from '../web/image-owner.ts';
import { CARD_QUERY, otherCard, vlanOfCard } from '../web/ipxe-card.ts';
import { otherFile } from '../web/other-files.ts';
import { PasswordGate } from '../web/password.ts';
import { type BootableImage, mergeImages, pickWanted } from '../web/pick-image.ts';
import { SentToDisk } from '../web/sent-to-disk.ts';
import { type FileServer, holdsAll, leastLoaded } from '../web/spread.ts';
import { QUESTIONS_OF_ONE, StatusRoutes } from '../web/status-routes.ts';
import { secureLack } from '../web/tftp-tree.ts';
import { type Answer, parsePart, WebServer } from '../web/web-server.ts';

/** Names on a command line that is at most 2048 bytes on x86; more nodes are found by those. */
const MOST_PEERS = 8;
/** What others are loaded with is asked anew after this. */
const LOADS_MS = 2000;
const ANSWER_MS = 1000;
/** What the field is, is asked anew after this by those that boot. */
const FIELD_MS = 500;
/** A room behind a router that hides its addresses, switched on at once: each machine asks two or three times. */
const SCRIPTS_OF_ONE = { burst: 500, perSecond: 20 };
/** Whether this machine has become the one that serves is looked at so often. */
const SERVING_LOOK_MS = 1000;
/** Files below this are given at once: a redirect would cost more. */
const SPREAD_BYTES = 1 << 20;

export default definePlugin({
  name: 'http',
  summary:
    'kernel, initrd and boot script for machines that boot by network, the status, and metrics; on the boot interface only',
  provides: ['http'],
  requires: ['address'],
  uses: ['field', 'images'],
  async start(context) {
    const { machine } = context;
    const tell = logOfAskers(context.log);
    const network = await context.ask('address').network();
    const base = `http://${network.address}:${HTTP_PORT}`;
    const files = findBootFiles();
    const lacking = BOOT_FILES.filter((name) => !files.has(name));
    if (lacking.length > 0)
      context.log(`the image has no /boot/${lacking.join(', /boot/')}: nobody can boot from here`);
    const isKeyed = fieldKeyWords().length > 0;
    if (isKeyed)
      context.log('this field has a key, which is never sent by network: machines that boot from here are told so');
    const secureBoot = { on: isSecureBoot() ?? null, lack: secureLack(files) ?? null };
    const published: { -readonly [N in keyof PublishedStatus]?: () => PublishedStatus[N] } = {};

    const fieldStatus = async (): Promise<FieldStatus | undefined> => {
      if (!context.has('field')) return undefined;
      return await context.ask('field').status();
    };
    /** For who boots: the same daemon gives this machine its root, and is not to be asked by everybody's question. */
    const recentField = cached(FIELD_MS, fieldStatus);
    const scripts = new RateLimit(SCRIPTS_OF_ONE);
    let steering: BootSteering | undefined;
    let imageId = machine.image?.id;
    const progress = new BootProgress();
    const [kernel, initrd, firstStage] = ['vmlinuz', 'viverrd.zst', 'first-stage.zst'].map((name) => files.get(name));
    const initrdSum = new FileSum(initrd?.path ?? '');
    const slowLoads = new SlowLoads();
    let isTold = false;
    const hear = (news: BootNews | undefined): void => {
      if (news === undefined) return;
      progress.hear(news, performance.now());
      if (isTold || !context.has('field')) return;
      isTold = true;
      // The initrd lies in the image: what is read of it for others is no part of this machine's boot profile. A daemon
      // of an older version does not know that; then only a hint is less good.
      tellOthersBoot(FIELD_SOCKET).catch((error: unknown) => context.log(`boot profile: ${describeError(error)}`));
    };
    const status = async (extent: Extent) => {
      const isBrief = extent === 'brief';
      const field = !isBrief || imageId === undefined ? await fieldStatus() : undefined;
      imageId ??= field?.image.id;
      const strip = field === undefined || isBrief ? undefined : await context.ask('field').strip();
      return ownStatus(
        { machine, imageId, network, field: isBrief ? undefined : field, strip },
        {
          role: context.role,
          canServe: lacking.length === 0,
          secureBoot,
          dhcp: published.dhcp?.() ?? null,
          tftp: published.tftp?.() ?? null,
          load: { transfers: server.transfers, sentBytes: server.sentBytes },
          refused: { ...server.refused },
          plugins: context.plugins(),
          loading: progress.list(performance.now()),
          images: published.images?.() ?? [],
          rolls: published.rolls?.() ?? [],
          health: published.health?.() ?? null,
        },
      );
    };
    const { statusPassword } = context.settings;
    const routes = new StatusRoutes({
      ...{ address: network.address, status, field: fieldStatus, sentBytes: () => server.sentBytes },
      ...(statusPassword === undefined ? {} : { password: statusPassword }),
    });
    const named = imageHostname(LOWER);

    /** What a machine is to start depends on which it is. */
    const knowsByMac = () =>
      context.roles.length > 0 ||
      steering?.isActive() === true ||
      published.neighbours?.().others.some(({ claims }) => claims.length > 0) === true;

    /** What a machine that boots by network is to start. */
    const plan = async ({ mac, vlan, isGrub, isLook }: Booting, from: string, isMenu: boolean): Promise<BootPlan> => {
      if (isKeyed) return { kind: 'keyed' };
      if (lacking.length > 0) return { kind: 'unavailable', why: `no ${lacking.join(', ')} in the image` };
      const { own: claims, others: neighbours } = published.neighbours?.() ?? { own: [], others: [] };
      if (mac === undefined && knowsByMac())
        return { kind: 'unavailable', why: 'it says no MAC (Ethernet), by which it is known what it is to start' };
      // A machine of another cluster's is booted as that one's roles say.
      const owner = mac === undefined || isMenu ? undefined : ownerOf(mac, claims, neighbours);
      const field = await recentField();
      if (field === undefined) return { kind: 'unavailable', why: 'the image is not shared yet' };
      const chosen = mac === undefined ? undefined : clientRole(context.roles, { mac, address: from, hostname: named });
      const { name: role = '', settings = NO_SETTINGS } = chosen?.role ?? {};
      if (!settings.boot) {
        progress.forget(from);
        tell(`${mac} (${from}) is sent away: its role is ${role}, ${chosen?.why}`, from);
        return { kind: 'not-here', role, owner };
      }
      const own = { name: machine.image?.name ?? field.image.name, id: field.image.id };
      const offered = context.has('images') ? await context.ask('images').list() : [];
      const inherited = inheritedWords(machine.commandLine);
      const { helpers, offers } = await around();
      const whole = isGrub === true || firstStage === undefined ? undefined : wholeOf(initrdSum.known, helpers);
      const others = mergeImages(
        [
          ...offered.map(({ name, id, peer }) => ({
            ...{ name, id, peers: [peer] },
            directory: `${base}/boot/${name}`,
          })),
          ...neighbours.map(({ image, address, peers: nodes }) => ({
            ...{ ...image, peers: nodes, from: address, words: inherited },
            directory: `http://${address}:${HTTP_PORT}/boot`,
          })),
          ...offers,
        ],
        own.id,
      );
      const { image: wanted } = settings;
      const booting = mac === undefined ? undefined : { mac, hostname: clientHostname(mac, named), role };
      const isSteered = booting !== undefined && owner === undefined && !isMenu;
      const released = isSteered ? (steering?.choose(booting) ?? []) : [];
      const here = new Set([own.id, ...(isGrub === true ? [] : others.map(({ id }) => id))]);
      const picked = pickWanted(released, wanted, here);
      const why = isGrub === true ? 'has another kernel than the one that GRUB is given' : 'is on no machine now';
      if (released.length > 0 && wanted === undefined && picked !== released[0])
        tell(`${mac} (${from}): ${released[0]?.image.name}, which a release wants for it, ${why}`, from);
      if (booting !== undefined && picked !== undefined && isLook !== true) steering?.given(booting, picked, from);
      const fits = ({ name, id }: { readonly name: string; readonly id: string }) =>
        picked !== undefined
          ? picked.image.id === id
          : wanted === undefined || (wanted.name === name && (wanted.id === undefined || wanted.id === id));
      const isOwn = fits(own);
      if (!isOwn && !others.some(fits)) {
        tell(`${mac} (${from}): no image ${wanted?.name} is here, which its role ${role} wants`, from);
        return { kind: 'no-image', role, image: wanted?.name ?? '', owner };
      }
      const peers = field.peers.map(({ address }) => address).slice(0, MOST_PEERS - 1);
      // It loads from another machine, and comes up in another field: not heard of here any more.
      if (!isOwn) progress.forget(from);
      const words = [
        ...inherited,
        ...settings.words,
        // it finds itself in the role that it was booted by
        ...(context.roles.some((known) => known.name === role) ? [`viver.role=${role}`] : []),
      ];
      const steered = isSteered ? (steering?.words(picked) ?? []) : [];
      const isLocked = settings.menuPassword !== undefined && settings.menu !== 'none' && !isMenu;
      const script: BootScript = {
        base,
        image: own,
        others: others.map((other) => {
          const isFirst = !isOwn && fits(other);
          // who chose it by hand does not roll it out
          const released = isFirst && picked !== undefined ? [...words, ...steered] : (other.words ?? words);
          return { ...other, isFirst, words: released };
        }),
        peers: [network.address, ...peers],
        words: isOwn ? [...words, ...steered] : words,
        ...(vlan === undefined ? {} : { vlan }),
        whole,
        hasMemtest: files.has('memtest.bin') && files.has('memtest.efi'),
        menu: isMenu ? 'open' : settings.menu,
        ...(isLocked ? { lockedMenu: `/boot/menu.ipxe?mac=${mac}&${CARD_QUERY}` } : {}),
      };
      return { kind: 'boot', script, owner };
    };

    const script = async (query: URLSearchParams, from: string, isMenu: boolean): Promise<Answer> => {
      if (!scripts.allow(from, performance.now())) return { kind: 'limited' };
      const isFirst = !query.has('mac');
      const isAsked = query.has('menu');
      // It is asked back once: what is not said then, it cannot say.
      if (isFirst && !isKeyed && knowsByMac())
        return { kind: 'text', type: 'text/plain', text: askMacScript(base, isAsked) };
      const mac = macOf(query.get('mac'));
      const other = otherCard(query, from);
      if (other !== undefined) tell(other, from);
      const found = await plan({ mac, vlan: vlanOfCard(query, from), isLook: query.has('look') }, from, isMenu);
      if (found.kind === 'unavailable') return found;
      const text = ipxeOf(found, mac);
      return { kind: 'text', type: 'text/plain', text: isFirst ? taggedAskScript(base, isAsked, text) : text };
    };

    /** What a first stage fetches, and from whom; undefined: not known yet. */
    const wholeOf = (sha256: string | undefined, helpers: Around['helpers']): WholeInitrd | undefined => {
      if (sha256 === undefined || initrd === undefined) return undefined;
      const givers = [base, ...helpers.filter(({ isWhole }) => isWhole).map((helper) => helper.base)];
      return initrdFrom({ sha256, sizeBytes: initrd.sizeBytes }, givers);
    };

    const grub = async (mac: string, from: string): Promise<string> => {
      const found = await plan({ mac, vlan: undefined, isGrub: true }, from, false);
      if (found.kind !== 'boot') return grubOf(found, mac);
      hear({ address: from, mac, step: 'script' });
      return grubOf(found, mac, wholeOf(await initrdSum.get(), (await around()).helpers));
    };

    const gates = new Map<string, PasswordGate>();
    /** The menu of a machine whose role has a password for it. */
    const menu = async (query: URLSearchParams, from: string, authorization: string | undefined) => {
      const mac = macOf(query.get('mac'));
      if (mac === undefined) return undefined;
      const { menuPassword } = clientRole(context.roles, { mac, address: from, hostname: named }).role.settings;
      if (menuPassword === undefined) return undefined;
      const gate = gates.get(menuPassword) ?? new PasswordGate(menuPassword);
      gates.set(menuPassword, gate);
      if (!(await gate.isOpenFor(authorization, from))) return { kind: 'locked' } as const;
      return await script(query, from, true);
    };

    /** Machines with the same image have the same boot files. */
    const around = cached(LOADS_MS, async (): Promise<Around> => {
      const field = await recentField();
      if (field === undefined) return { helpers: [], offers: [] };
      const machines = await fetchStatuses(field, ANSWER_MS, 'brief');
      return {
        helpers: machines
          .filter(({ canServe, image }) => canServe && image?.id === field.image.id)
          .map(({ address, load }) => ({
            ...{ base: `http://${address}:${HTTP_PORT}`, transfers: load.transfers },
            isWhole: holdsAll(field, address),
          })),
        offers: machines.flatMap(({ address, images }) =>
          images.map(({ name, id, peer }) => ({
            ...{ name, id, peers: [peer], from: address },
            directory: `http://${address}:${HTTP_PORT}/boot/${name}`,
          })),
        ),
      };
    });
    /** Whether a machine that asks for the initrd is to get the first stage. */
    const isSlow = (from: string): boolean => {
      if (kernel === undefined || initrd === undefined || firstStage === undefined) return false;
      const sizes = { kernel: kernel.sizeBytes, initrd: initrd.sizeBytes, firstStage: firstStage.sizeBytes };
      if (!slowLoads.isFor(from, sizes, performance.now())) return false;
      tell(`${from} loads slowly: it gets the first stage, by which Linux fetches the initrd`, from);
      return true;
    };
    const file = async (name: string, query: URLSearchParams, from: string): Promise<Answer | undefined> => {
      const found = files.get(name);
      if (found === undefined) return undefined;
      const { sizeBytes } = found;
      const here = query.has('here');
      const part = parsePart(query.get('bytes'), sizeBytes);
      if (found === kernel) slowLoads.kernelAsked(from, performance.now());
      if (found === initrd && part !== undefined) slowLoads.fetches(from);
      if (found === initrd && query.has('first') && isSlow(from)) return await file('first-stage.zst', query, from);
      const { start, end } = part ?? { start: 0, end: sizeBytes };
      const onProgress = (share: number): void =>
        hear(fileNews(from, name, (start + share * (end - start)) / sizeBytes));
      onProgress(0);
      const own: Answer = {
        ...{ kind: 'file', path: found.path, sizeBytes, onProgress },
        ...(part && { part }),
        ...inFlightsOf(query),
      };
      if (here || found.sizeBytes < SPREAD_BYTES) return own;
      const { helpers: others } = await around();
      const field = await recentField();
      const isWhole = field === undefined || holdsAll(field, network.address);
      const chosen = leastLoaded({ base, transfers: server.transfers, isWhole }, others);
      const helper = others.find((other) => other === chosen);
      if (helper === undefined) return own;
      helper.transfers++; // until it is asked again
      const chip = query.get('chip');
      const asked = chip === null ? '' : `&chip=${encodeURIComponent(chip)}`;
      return { kind: 'redirect', to: `${helper.base}/boot/${name}?here${asked}` };
    };

    const imageDirectory = async (name: string) =>
      context.has('images') ? await context.ask('images').directory(name) : undefined;

    /** Of other plugins. */
    const answers = new Map<string, (from: string) => Promise<unknown>>();
    const questions = new RateLimit(QUESTIONS_OF_ONE);

    const sentToDisk = new SentToDisk();
    const toDisk = (address: string, text: string): Answer => {
      sentToDisk.send(address, performance.now());
      steering?.left(address);
      progress.forget(address);
      return { kind: 'text', type: 'text/plain', text };
    };

    const server = new WebServer({
      log: tell,
      async answer(path, query, from, authorization) {
        const asked = answers.get(path);
        if (asked !== undefined && !questions.allow(from, performance.now())) return { kind: 'limited' };
        const said = await asked?.(from);
        if (said !== undefined) return { kind: 'text', type: 'application/json', text: `${JSON.stringify(said)}\n` };
        if (!path.startsWith('/boot/')) return await routes.answer(path, query, from, authorization);
        if (path === '/boot/disk.ipxe') return toDisk(from, toDiskScript);
        if (path === '/boot/boot.ipxe' && !query.has('menu') && sentToDisk.isSent(from, performance.now()))
          return toDisk(from, againToDiskScript(base));
        if (path === '/boot/boot.ipxe') {
          if (!query.has('look')) hear({ address: from, step: 'script' });
          return await script(query, from, false);
        }
        if (path === '/boot/menu.ipxe') return await menu(query, from, authorization);
        const name = path.slice('/boot/'.length);
        return name.includes('/') ? await otherFile(name, query, imageDirectory) : await file(name, query, from);
      },
    });
    await server.listen(network.address, HTTP_PORT);
    context.defer(() => server.close());
    // Who serves makes the sum before anybody wants it: nobody who boots is kept waiting for it.
    const serving = setInterval(() => {
      if (firstStage === undefined || ['standby', undefined].includes(published.dhcp?.().mode)) return;
      clearInterval(serving);
      initrdSum.get().catch((error: unknown) => context.log(describeError(error)));
    }, SERVING_LOOK_MS).unref();
    context.defer(() => clearInterval(serving));
    routes.start();
    context.defer(() => routes.stop());
    return {
      http: {
        base: async () => base,
        scriptUrl: async () => `${base}/boot/boot.ipxe`,
        canServe: async () => lacking.length === 0,
        answer: async (path, answer) => {
          answers.set(path, answer);
        },
        publish: async (name, value) => {
          Object.assign(published, { [name]: value });
        },
        grubScript: grub,
        hear: async (news) => hear(news),
        steer: async (steers) => {
          steering = steers;
        },
      },
    };
  },
});

/** A machine that boots by network, as far as it says who it is. */
interface Booting {
  readonly mac: string | undefined;
  /** By which its iPXE came; GRUB does not say. */
  readonly vlan: number | undefined;
  /** It can load the kernel and initrd of this server's own image only. */
  readonly isGrub?: boolean;
  /** It runs, and asks before it is started anew: nothing is sent to it yet. */
  readonly isLook?: boolean;
}

/** What the other machines of the field give to those that boot. */
interface Around {
  /** With the same image, and so the same boot files. */
  readonly helpers: (FileServer & { transfers: number })[];
  /** Other images that they offer. */
  readonly offers: readonly BootableImage[];
}
