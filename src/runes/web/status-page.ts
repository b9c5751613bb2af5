/**
 * The field as a picture: each machine a row, the image's chunks as a strip coloured by what it holds, redundancy below.
 * One file, nothing from elsewhere. What machines say of themselves is text, never markup.
 */
export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>VIVER</title>
<style>
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; --line: #8885; --held: #2a7de1; --rare: #d9480f; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; }
p { margin: 0 0 1.2rem; opacity: .75; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; white-space: nowrap; }
th { font-weight: 600; opacity: .7; }
td.strip { width: 50%; }
canvas { display: block; width: 100%; height: 22px; border-radius: 3px; background: #8882; }
small { opacity: .65; display: block; }
tfoot td { border-bottom: 0; }
#trouble { color: var(--rare); min-height: 1.4em; }
</style>
<h1 id="title">VIVER</h1>
<p id="facts">asking the machines …</p>
<table>
<thead><tr><th>machine</th><th>role</th><th>gets and gives</th><th>what it holds of the image</th></tr></thead>
<tbody id="machines"></tbody>
<tfoot><tr><td>all together</td><td></td><td id="redundancy"></td><td class="strip"><canvas id="copies" width="1024" height="22"></canvas></td></tr></tfoot>
</table>
<div id="trouble" role="status"></div>
<script>
'use strict';
const at = (id) => document.getElementById(id);
const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0) + ' MB';
const element = (name, text, small) => {
  const made = document.createElement(name);
  made.textContent = text;
  if (small !== undefined) made.appendChild(element('small', small));
  return made;
};
const paint = (canvas, colours) => {
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, canvas.width, canvas.height);
  const width = canvas.width / Math.max(1, colours.length);
  colours.forEach((colour, i) => {
    if (colour === null) return;
    context.fillStyle = colour;
    context.fillRect(Math.floor(i * width), 0, Math.ceil(width), canvas.height);
  });
};
const heldColours = (held) => [...held].map((digit) => digit === '0' ? null : 'rgba(42,125,225,' + (0.15 + 0.85 * digit / 9) + ')');
const copyColours = (copies, machines) => copies.map((count) =>
  count === 0 ? '#d9480f' : 'hsl(' + (count === 1 ? 35 : 140) + ' 60% ' + (count === 1 ? 50 : 62 - 30 * Math.min(1, count / Math.max(2, machines))) + '%)');
const doing = ({ dhcp, load }) => [dhcp === null || dhcp.mode === 'standby' ? null : 'boots others (' + dhcp.mode + ' DHCP)', load.transfers > 0 ? 'sends ' + load.transfers + ' boot files' : null].filter(Boolean).join(', ');
function show(machines) {
  const [own] = machines;
  at('title').textContent = own.image === null ? 'VIVER' : own.image.name;
  at('facts').textContent = (own.field === null ? '' : own.field.image.chunks + ' chunks, ' + mb(own.field.image.size) + ', ') +
    machines.length + (machines.length === 1 ? ' machine' : ' machines') + ', seen from ' + own.hostname;
  const rows = machines.map((machine) => {
    const row = document.createElement('tr');
    const { field, strip } = machine;
    row.appendChild(element('td', machine.hostname, machine.address + ', by ' + machine.booted));
    row.appendChild(element('td', machine.role, doing(machine)));
    row.appendChild(field === null ? element('td', '–') : element('td',
      mb(field.traffic.fromPeers) + ' in, ' + mb(field.traffic.toPeers) + ' out', mb(field.traffic.fromMedium) + ' from its medium'));
    const cell = element('td', '');
    cell.className = 'strip';
    const canvas = document.createElement('canvas');
    canvas.width = 1024;
    canvas.height = 22;
    canvas.title = field === null ? '' : field.node.held + ' of ' + field.image.chunks + ' chunks';
    canvas.dataset.held = strip === null ? '' : strip.held;
    paint(canvas, strip === null ? [] : heldColours(strip.held));
    cell.appendChild(canvas);
    row.appendChild(cell);
    return row;
  });
  at('machines').replaceChildren(...rows);
  at('redundancy').textContent = own.field === null ? '' : 'each chunk ' + own.field.redundancy.min + ' times at least, ' + own.field.redundancy.mean + ' in the mean';
  paint(at('copies'), own.strip === null ? [] : copyColours(own.strip.copies, machines.length));
}
async function look() {
  try {
    const answer = await fetch('machines.json', { signal: AbortSignal.timeout(8000) });
    if (!answer.ok) throw new Error(answer.status + ' ' + answer.statusText);
    show(await answer.json());
    at('trouble').textContent = '';
  } catch (error) {
    at('trouble').textContent = 'this machine does not answer (' + error.message + '); what is shown is what it said last';
  }
  setTimeout(look, document.hidden ? 10000 : 1500);
}
look();
</script>
</html>
`;
