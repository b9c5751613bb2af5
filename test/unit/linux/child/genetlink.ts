import { execFileSync } from 'node:child_process';
import { Genetlink } from '../../../../src/linux/netlink/genetlink.ts';
import { attribute } from '../../../../src/linux/netlink/netlink-message.ts';

/** include/uapi/linux/ethtool_netlink.h: a family with requests, replies and notifications in every kernel. */
const MSG = { LINKINFO_GET: 2, LINKINFO_GET_REPLY: 2, FEATURES_SET: 12, FEATURES_NTF: 13 } as const;
const HEADER = 1;
const HEADER_DEV_NAME = 2;
const FEATURES_WANTED = 3;
const BITSET_BITS = 3;
const BITS_BIT = 1;
const BIT_NAME = 2;
const BIT_VALUE = 3;

const header = (name: string) => attribute.nested(HEADER, [attribute.text(HEADER_DEV_NAME, name)]);

execFileSync('ip', ['link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'right']);
using generic = new Genetlink();
const family = await generic.resolveFamily('ethtool');
const [info] = await generic.request({
  op: 'LINKINFO_GET',
  target: 'left',
  family,
  command: MSG.LINKINFO_GET,
  attributes: [header('left')],
});

const listening = new AbortController();
const { promise: notified, resolve } = Promise.withResolvers<unknown>();
generic.listen(
  family,
  'monitor',
  {
    onMessage: ({ command, attributes }) => {
      if (command === MSG.FEATURES_NTF) resolve(attributes.nested(HEADER)?.text(HEADER_DEV_NAME));
    },
    onOverrun: () => resolve('overrun'),
    onError: resolve,
  },
  listening.signal,
);
const on = attribute.nested(BITS_BIT, [
  attribute.text(BIT_NAME, 'rx-gro'),
  attribute.bytes(BIT_VALUE, new Uint8Array()),
]);
await generic.request({
  op: 'FEATURES_SET',
  target: 'left',
  family,
  command: MSG.FEATURES_SET,
  attributes: [header('left'), attribute.nested(FEATURES_WANTED, [attribute.nested(BITSET_BITS, [on])])],
});
const notification = await notified;
listening.abort();

const errors: string[] = [];
const message = (error: Error) => errors.push(error.message);
await generic.resolveFamily('no such family').catch(message);
const request = { op: 'LINKINFO_GET', target: 'nothing', family, command: MSG.LINKINFO_GET };
await generic.request({ ...request, attributes: [header('nothing')] }).catch(message);
await generic.request(request).catch(message);
process.stdout.write(
  JSON.stringify({
    name: family.name,
    groups: [...family.groups.keys()],
    device: info?.attributes.nested(HEADER)?.text(HEADER_DEV_NAME),
    notification,
    errors,
  }),
);
