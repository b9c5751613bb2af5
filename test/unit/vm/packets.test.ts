import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DHCP_TYPES, decodeDhcp, dhcpTypeOf, encodeDhcp, OPTION } from '../../vm/harness/dhcp-message.ts';
import { DhcpServer } from '../../vm/harness/dhcp-server.ts';
import { arpFrame, BROADCAST, ethernetFrame, flowOf, parseArp, parseUdp, udpFrame } from '../../vm/harness/frame.ts';
import { TrafficClassifier, TrafficMeter } from '../../vm/harness/traffic.ts';

const CLIENT = '52:54:00:00:00:02';
const udp = (from: string, fromPort: number, to: string, toPort: number, payload = 'x') =>
  udpFrame({
    from: { mac: CLIENT, ip: from, port: fromPort },
    to: { mac: BROADCAST, ip: to, port: toPort },
    payload: Buffer.from(payload),
  });

function tcp(from: string, fromPort: number, to: string, toPort: number, payload: string): Buffer {
  const frame = udp(from, fromPort, to, toPort, `${'\0'.repeat(12)}${payload}`);
  frame[14 + 9] = 6;
  frame[14 + 20 + 12] = 5 << 4;
  return frame;
}

function ask(type: keyof typeof DHCP_TYPES, mac = CLIENT): Buffer {
  const options = new Map([[OPTION.type, Buffer.from([DHCP_TYPES[type]])]]);
  const payload = encodeDhcp({ operation: 'request', transaction: 7, mac, options });
  return udpFrame({
    from: { mac, ip: '0.0.0.0', port: 68 },
    to: { mac: BROADCAST, ip: '255.255.255.255', port: 67 },
    payload,
  });
}

test('what a UDP frame was made of is read from it again', () => {
  const packet = {
    from: { mac: CLIENT, ip: '10.1.2.3', port: 68 },
    to: { mac: BROADCAST, ip: '255.255.255.255', port: 67 },
    payload: Buffer.from('payload'),
  };
  expect(parseUdp(udpFrame(packet))).toEqual(packet);
});

test('any bytes are a packet or none, and never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const head = Buffer.from(ethernetFrame(CLIENT, BROADCAST, 0x0800, Buffer.from([0x45])));
      for (const frame of [Buffer.from(bytes), Buffer.concat([head, bytes])]) {
        parseArp(frame);
        parseUdp(frame);
        decodeDhcp(frame);
        new TrafficClassifier().kindOf(frame);
      }
    }),
  );
});

test('DHCP messages are read as they were written', () => {
  const message = {
    operation: 'reply' as const,
    transaction: 0xdeadbeef,
    mac: CLIENT,
    yourIp: '192.168.77.100',
    nextServer: '192.168.77.1',
    file: 'undionly.kpxe',
    options: new Map([[OPTION.type, Buffer.from([2])]]),
  };
  expect(decodeDhcp(encodeDhcp(message))).toEqual(message);
});

test('the DHCP server offers, acknowledges, gives the same card the same address, and answers ARP', () => {
  const server = new DhcpServer();
  const answerTo = (frame: Buffer) => {
    const [answer] = server.answer(frame);
    return answer && decodeDhcp(parseUdp(answer)?.payload ?? Buffer.alloc(0));
  };
  const offer = answerTo(ask('discover'));
  expect(offer && [dhcpTypeOf(offer), offer.yourIp]).toEqual(['offer', '192.168.77.100']);
  expect(answerTo(ask('discover', '52:54:00:00:00:03'))?.yourIp).toBe('192.168.77.101');
  const ack = answerTo(ask('request'));
  expect(ack && [dhcpTypeOf(ack), ack.yourIp]).toEqual(['ack', '192.168.77.100']);
  expect(server.heard.map(({ type }) => type)).toEqual(['discover', 'discover', 'request']);
  const who = { operation: 'request' as const, from: { mac: CLIENT, ip: '192.168.77.100' } };
  const [is] = server.answer(arpFrame({ ...who, to: { mac: '00:00:00:00:00:00', ip: '192.168.77.1' } }));
  expect(is && parseArp(is)?.from).toEqual({ mac: server.mac, ip: server.ip });
});

test('traffic is told apart by who asked for what', () => {
  const classifier = new TrafficClassifier();
  const kinds = [
    ask('discover'),
    udp('10.0.0.2', 2000, '10.0.0.1', 69),
    udp('10.0.0.1', 40_000, '10.0.0.2', 2000),
    udp('10.0.0.1', 40_000, '10.0.0.2', 2001),
    tcp('10.0.0.2', 3000, '10.0.0.1', 8080, 'GET /vmlinuz HTTP/1.1\r\n'),
    tcp('10.0.0.1', 8080, '10.0.0.2', 3000, 'bytes'),
    tcp('10.0.0.1', 22, '10.0.0.2', 3000, 'bytes'),
    udp('10.0.0.2', 20_070, '224.0.0.1', 20_070),
  ].map((frame) => classifier.kindOf(frame));
  expect(kinds).toEqual(['dhcp', 'tftp', 'tftp', 'other', 'http', 'http', 'other', 'field']);
});

test('the meter knows who sent whom how much of what', () => {
  const meter = new TrafficMeter();
  const frame = udp('10.0.0.1', 20_070, '10.0.0.2', 20_070);
  meter.count(frame, 'one', ['two', 'three']);
  meter.count(frame, 'three', ['two']);
  expect(meter.receivedBy('two').get('one')?.field).toBe(frame.length);
  expect(meter.total('two', 'field')).toBe(2 * frame.length);
  expect(meter.total('one', 'field')).toBe(0);
});

test('what TCP carries begins after its options', () => {
  expect(flowOf(tcp('10.0.0.2', 1, '10.0.0.1', 80, 'GET'))?.payloadAt).toBe(54);
});
