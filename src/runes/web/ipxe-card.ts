/**
 * Which network device iPXE boots by, and so which VLAN. iPXE has no setting for the tag: the device that `vcreate`, or
 * a UEFI firmware's own VLAN, makes of net0 is called net0-TAG, and `ifname` gives that name (https://ipxe.org/cmd/vcreate,
 * https://ipxe.org/cfg/ifname). A script cannot take a name apart. So iPXE sends it to the server, which does, and writes
 * `viver.vlan=` for those alone that have a tag. A setting that an old or stripped iPXE lacks expands to nothing, as does
 * the tag of one without VLANs: such machines get the script they always got. Pure.
 */

import { parseVlan } from '../../net/vlan.ts';

/** iPXE's own `${NAME}`, expanded on the machine that boots. */
export function ipxe(name: string): string {
  return `\${${name}}`;
}

/** What iPXE says of its device, in the query of a URL. */
export const CARD_QUERY = `card=${ipxe('netX/ifname')}&ip=${ipxe('netX/ip')}`;

/** The devices that iPXE names itself, up to its 12 bytes; any other name may have a hyphen that means nothing. */
const NAME = /^net\d{1,5}(?:-([1-9]\d{0,3}))?$/;

/**
 * The VLAN that a machine boots by; undefined: none, or none that is known.
 *
 * `netX` is the device that was opened last, and a card that is switched on opens its VLANs with it: it may name a VLAN
 * while the machine boots by the card itself, or the other way round. Only the device that has the address which the
 * question comes from is the one.
 * @param from the address that asks
 */
export function vlanOfCard(query: URLSearchParams, from: string): number | undefined {
  const [, tag] = NAME.exec(query.get('card') ?? '') ?? [];
  return query.get('ip') === from ? parseVlan(tag) : undefined;
}

/** What the log is to say of a machine that asks by another device than iPXE names; undefined: nothing. */
export function otherCard(query: URLSearchParams, from: string): string | undefined {
  const card = query.get('card') ?? '';
  if (!NAME.test(card) || query.get('ip') === from) return undefined;
  return `${from} asks by another device than ${card}, which its iPXE opened last: a VLAN is not taken over (in iPXE, 'ifclose' before 'dhcp DEVICE')`;
}
