import type { Link } from '../linux/netlink/rtnetlink.ts';

/** The VLAN of `viver.vlan=`; undefined for what is none. IEEE 802.1Q: 0 means no VLAN, 4095 is reserved. Pure. */
export function parseVlan(text: string | undefined): number | undefined {
  const id = /^[1-9]\d{0,3}$/.test(text ?? '') ? Number(text) : undefined;
  return id === undefined || id > 4094 ? undefined : id;
}

/** IFNAMSIZ (include/uapi/linux/if.h), the zero at the end aside. */
const LONGEST_NAME = 15;

/** `eth0.5`, as people name it; a card whose own name is too long gives only its beginning. Pure. */
export function vlanName(card: string, id: number): string {
  const end = `.${id}`;
  return `${card.slice(0, LONGEST_NAME - end.length)}${end}`;
}

/** Whether a link is the VLAN of a card among these. Pure. */
export function isVlanOf({ kind, name }: Link, id: number, cards: readonly Pick<Link, 'name'>[]): boolean {
  return kind === 'vlan' && cards.some((card) => vlanName(card.name, id) === name);
}
