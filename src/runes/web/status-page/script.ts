/** What the status page runs: it asks `machines.json` again and again. What machines say is text, never markup. */
export const SCRIPT = `
'use strict';
const at = (id) => document.getElementById(id);
const size = (bytes, unit) => bytes >= 1e9 ? (bytes / 1e9).toFixed(1) + ' G' + unit : (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0) + ' M' + unit;
const make = (name, className, ...content) => {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.append(...content);
  return made;
};
const SVG = 'http://www.w3.org/2000/svg';
function draw(width, height, label, paths) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  for (const [className, d, opacity] of paths) {
    if (d === '') continue;
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', className);
    path.setAttribute('d', d);
    if (opacity !== undefined) path.setAttribute('fill-opacity', opacity);
    svg.append(path);
  }
  const title = document.createElementNS(SVG, 'title');
  title.textContent = label;
  svg.append(title);
  return svg;
}
const POINTS = 60;
const last = (values) => values.length === 0 ? 0 : values[values.length - 1];
/* The oldest at the left, now at the right; both lines on one scale. */
function chart(rates, label) {
  const most = Math.max(1e5, ...rates.in, ...rates.out);
  const line = (values) => values.map((value, i) =>
    (i === 0 ? 'M' : 'L') + (POINTS - values.length + i) + ' ' + (21 - 19 * value / most).toFixed(1)).join('');
  return draw(POINTS - 1, 22, label, [['axis', 'M0 21.5H' + POINTS], ['out', line(rates.out)], ['in', line(rates.in)]]);
}
const now = (rates) => size(last(rates.in), 'B/s') + ' in, ' + size(last(rates.out), 'B/s') + ' out';
/* Runs of equal parts as rectangles, one path for each value. */
function strip(values, classOf, opacityOf, label) {
  const paths = new Map();
  for (let i = 0, start = 0; i < values.length; i++) {
    if (values[i + 1] === values[i]) continue;
    paths.set(values[i], (paths.get(values[i]) ?? '') + 'M' + start + ' 0H' + (i + 1) + 'V6H' + start + 'Z');
    start = i + 1;
  }
  return draw(Math.max(1, values.length), 6, label, [...paths].map(([value, d]) => [classOf(value), classOf(value) === '' ? '' : d, opacityOf(value)]));
}
const heldStrip = (held, label) => strip([...held], (digit) => digit === '0' ? '' : 'held', (digit) => (0.2 + 0.8 * digit / 9).toFixed(2), label);
const copyClass = (count) => count === 0 ? 'c0' : count === 1 ? 'c1' : 'c2';
const copyStrip = (copies, label) => strip(copies.map(copyClass), (name) => name, () => 1, label);
/* What boots read, the earlier the darker; of this machine, or of any that knows. */
function profileTile(machines, chunks) {
  const known = machines.find(({ status }) => status !== null && status.strip !== null && status.strip.read !== undefined);
  if (known === undefined) return [];
  const { parts, boots, chunks: read } = known.status.strip.read;
  const share = chunks === 0 ? 0 : Math.min(100, Math.round(100 * read / chunks));
  const label = 'boot profile: the image from its first byte to its last, each part as dark as a boot reads it early';
  return [tile(share + ' %', 'of the image is read by a boot (' + (boots === 1 ? '1 boot' : boots + ' boots') + ')',
    make('div', 'bar', strip([...parts], (digit) => digit === '0' ? '' : 'held', (digit) => (0.15 + 0.85 * digit / 9).toFixed(2), label)))];
}
const nameOf = (machine) => machine.status === null || machine.status.hostname === '' ? machine.address : machine.status.hostname;

let many = false;
function cardOf(machine) {
  const { state, status, says, address } = machine;
  const starting = state === 'up' && status.plugins.some((plugin) => plugin.state === 'starting');
  const failed = state === 'up' && status.plugins.some((plugin) => plugin.state === 'failed');
  const card = make('div', 'card ' + (failed ? 'broken' : starting ? 'starting' : state));
  card.append(make('p', 'name', make('span', '', nameOf(machine)), make('small', '', nameOf(machine) === address ? '' : address)));
  card.append(make('p', 'says', says));
  if (status === null) return card;
  card.append(make('p', 'soft', status.role + ', VIVER ' + (status.viver ?? 'older')));
  const how = 'booted by ' + status.booted + (status.boot === null ? '' : ' in ' + status.boot.seconds.toFixed(0) + ' s');
  if (!many) card.append(make('p', 'soft', how));
  else card.title = how;
  const figures = make('div', 'figures');
  if (status.rates !== null) figures.append(chart(status.rates, now(status.rates)), make('span', 'soft', now(status.rates)));
  if (status.field !== null) {
    const { held } = status.field.node;
    const { chunks } = status.field.image;
    const share = chunks === 0 ? 0 : Math.floor(100 * held / chunks);
    const label = 'holds ' + held + ' of ' + chunks + ' chunks (' + share + ' %)';
    const bar = make('div', 'bar', heldStrip(status.strip === null ? '' : status.strip.held, label));
    bar.dataset.held = status.strip === null ? '' : status.strip.held;
    figures.append(bar, make('span', 'soft', 'holds ' + share + ' %'));
  }
  card.append(figures);
  return card;
}
function loadingCard({ address, mac, says, seconds }) {
  const card = make('div', 'card loading');
  card.append(make('p', 'name', make('span', '', address), make('small', '', mac ?? '')));
  card.append(make('p', 'says', says), make('p', 'soft', 'boots by network, for ' + seconds + ' s'));
  return card;
}
/* A card is made anew only when what it shows has changed; those of machines that are gone are forgotten. */
const cardsIn = new Map();
function place(list, into, key, build) {
  const before = cardsIn.get(into) ?? new Map();
  const cards = new Map();
  const shown = list.map((one) => {
    const text = JSON.stringify(one);
    const known = before.get(key(one));
    const card = known !== undefined && known.text === text ? known.card : build(one);
    card.dataset.find ??= [...card.querySelectorAll('p')].map((line) => line.textContent).join(' ').toLowerCase();
    cards.set(key(one), { text, card });
    return card;
  });
  cardsIn.set(into, cards);
  if (shown.length !== into.children.length || shown.some((card, i) => into.children[i] !== card)) into.replaceChildren(...shown);
}
const tile = (value, text, ...more) => make('div', 'tile', make('b', '', value), make('span', '', text), ...more);
/* Of several machines that know a roll-out, the newest version, by the one that sent most machines to it. */
function rollsOf(machines) {
  const newest = new Map();
  for (const { status, state } of machines) {
    if (state !== 'up' || status === null) continue;
    for (const roll of status.rolls ?? []) {
      const known = newest.get(roll.name);
      const sent = (one) => one.healthy + one.booting + one.failed.length;
      const isNewer = known === undefined || roll.version > known.version || (roll.version === known.version && sent(roll) > sent(known));
      if (isNewer) newest.set(roll.name, roll);
    }
  }
  return [...newest.values()];
}
function rollTile({ name, version, image, healthy, booting, failed, stopped, for: whom }) {
  const counts = healthy + ' healthy, ' + booting + ' booting, ' + failed.length + ' failed';
  return tile(name + ' ' + version, (stopped === null ? 'rolls out ' : 'STOPPED: ') + image.name + ' for ' + whom.join(', ') + ': ' + counts);
}
function sum(machines) {
  const total = { in: Array(POINTS).fill(0), out: Array(POINTS).fill(0) };
  for (const { status, state } of machines) {
    if (state !== 'up' || status === null || status.rates === null) continue;
    for (const way of ['in', 'out']) {
      const from = POINTS - status.rates[way].length;
      status.rates[way].forEach((rate, i) => { total[way][from + i] += rate; });
    }
  }
  return total;
}
function show({ machines, loading, more, troubles }) {
  const own = machines[0].status;
  const up = machines.filter(({ state }) => state === 'up').length;
  document.title = (troubles.length > 0 ? '(' + troubles.length + ') ' : '') + 'VIVER ' + (own.image === null ? '' : own.image.name);
  at('title').textContent = own.image === null ? 'VIVER' : own.image.name;
  at('facts').textContent = (own.image === null || own.image.id === null ? '' : 'image ' + own.image.id.slice(0, 12) + ', ') +
    (own.field === null ? '' : size(own.field.image.size, 'B') + ' in ' + own.field.image.chunks + ' chunks, ') + 'seen from ' + own.hostname;
  const serving = machines.filter(({ state, status }) => state === 'up' && status.dhcp !== null && status.dhcp.mode !== 'standby').map(nameOf);
  const rates = sum(machines);
  const wire = tile(size(last(rates.in), 'B/s'), 'between machines now; the last five minutes:', chart(rates, now(rates)));
  wire.classList.add('wide');
  const tiles = [
    tile(up + ' of ' + (machines.length + more), 'machines answer'),
    tile(loading.length, loading.length === 1 ? 'machine boots by network' : 'machines boot by network'),
    tile(serving.length === 0 ? '–' : serving.join(', '), 'boots others'),
  ];
  if (own.field !== null) {
    const { min, mean } = own.field.redundancy;
    const label = 'each part of the image is held ' + min + ' times at least';
    tiles.push(tile(min + ' ×', 'every part is held at least; ' + mean.toFixed(1) + ' × in the mean',
      make('div', 'bar', copyStrip(own.strip === null ? [] : own.strip.copies, label))), ...profileTile(machines, own.field.image.chunks));
  }
  for (const roll of rollsOf(machines)) tiles.push(rollTile(roll));
  at('tiles').replaceChildren(...tiles, wire);
  at('trouble').replaceChildren(...(troubles.length === 0 ? [make('li', 'fine', 'Nothing is wrong.')] : troubles.map((text) => make('li', '', text))));
  at('loading-title').hidden = loading.length === 0;
  at('loading-title').textContent = 'Booting (' + loading.length + ')';
  place(loading, at('loading'), ({ address }) => address, loadingCard);
  at('machines-title').textContent = 'Machines (' + machines.length + ')' + (more > 0 ? ', and ' + more + ' more' : '');
  many = machines.length > 40;
  document.body.classList.toggle('many', many);
  place(machines, at('machines'), ({ address }) => address, cardOf);
  filter();
}
function filter() {
  const wanted = at('find').value.trim().toLowerCase();
  for (const card of document.querySelectorAll('.card')) card.hidden = !card.dataset.find.includes(wanted);
}
at('find').addEventListener('input', filter);
async function look() {
  try {
    const answer = await fetch('machines.json', { signal: AbortSignal.timeout(8000) });
    if (!answer.ok) throw new Error(answer.status + ' ' + answer.statusText);
    const overview = await answer.json();
    if (overview.version !== 1) throw new Error('it is of another version: load this page again');
    show(overview);
    at('lost').textContent = '';
  } catch (error) {
    at('lost').replaceChildren(make('li', '', 'This machine does not answer (' + error.message + '); what is shown is what it said last.'));
  }
  setTimeout(look, document.hidden ? 10000 : 2000);
}
look();
`;
