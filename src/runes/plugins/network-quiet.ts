import { definePlugin } from '../engine/plugin.ts';
import { readKeptLinks } from '../network-managers/kept-links.ts';
import { QUIETINGS } from '../network-managers/quietings.ts';

/**
 * The interface a root hangs on must not be touched by the image's own network set-up: taking it down for a second to
 * bring it up again means waiting for blocks that cannot come. Where the root lies on a medium, a desktop's manager has
 * the wire as well as its other cards; servers' managers leave wires to VIVER, which asks for an address on each.
 */
export default definePlugin({
  name: 'network-quiet',
  summary: "the image's own network set-up leaves the interface alone that the root hangs on",
  prepare(root) {
    const kept = readKeptLinks();
    const quietened = QUIETINGS.filter(({ isThere }) => isThere(root));
    for (const { quieten } of quietened) quieten(root, kept);
    const what = kept.length === 0 ? 'no interface is kept' : `kept: ${kept.map(({ name }) => name).join(', ')}`;
    if (quietened.length > 0) root.note(`${what}; told: ${quietened.map((one) => one.what).join(', ')}`);
  },
});
