/** The status page's looks: by day, in the dark, on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --bg: #f4f5f7; --card: #fff; --ink: #1b1f24; --soft: #5c6670; --line: #d9dde2;
  --up: #1a7f4b; --start: #8a5a00; --load: #1f6feb; --bad: #c4320a; --badbg: #fdeee9; --in: #1f6feb; --out: #d9730d; --held: #1f6feb; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14171b; --card: #1d2126; --ink: #e6e9ec; --soft: #98a2ad; --line: #343a42;
    --up: #4cc38a; --start: #e2b53e; --load: #6cb0ff; --bad: #ff8b66; --badbg: #3a211a; --in: #6cb0ff; --out: #f5a54a; --held: #6cb0ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main, header { max-width: 110rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1rem; }
h1 { font-size: 1.35rem; margin: 0; }
h2 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
header p { margin: 0 0 .8rem; color: var(--soft); }
#tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .6rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem; min-width: 0; }
.tile b { display: block; font-size: 1.35rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; }
.tile svg { height: 34px; }
.wide { grid-column: span 2; }
.trouble { margin: .8rem 0 0; padding: 0; list-style: none; }
.trouble li { background: var(--badbg); color: var(--bad); border-left: 4px solid var(--bad); border-radius: 4px; padding: .35rem .7rem;
  margin-bottom: .3rem; overflow-wrap: anywhere; }
.trouble li.fine { background: none; border-color: var(--up); color: var(--up); }
#bar { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
#bar input { font: inherit; padding: .25rem .5rem; border: 1px solid var(--line); border-radius: 6px; background: var(--card);
  color: inherit; width: 14rem; max-width: 100%; }
#bar h2 { margin-right: auto; }
.cards { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); }
.many #machines { grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .35rem; }
.card { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--up); border-radius: 6px;
  padding: .45rem .7rem .5rem; min-width: 0; content-visibility: auto; contain-intrinsic-size: auto 6.5rem; }
.card.starting, .card.late { border-left-color: var(--start); }
.card.loading { border-left-color: var(--load); }
.card.silent, .card.broken { border-left-color: var(--bad); }
.card p { margin: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name { font-weight: 600; display: flex; gap: .5rem; justify-content: space-between; }
.name span { overflow: hidden; text-overflow: ellipsis; }
.name small { font-weight: 400; color: var(--soft); font-size: .8rem; flex: none; }
.soft { color: var(--soft); font-size: .84rem; }
.says { font-size: .9rem; color: var(--up); }
.starting .says, .late .says { color: var(--start); }
.loading .says { color: var(--load); }
.silent .says, .broken .says { color: var(--bad); }
.card .says { white-space: normal; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: 1fr auto; gap: .1rem .6rem; align-items: center; margin-top: .25rem; }
svg { display: block; width: 100%; height: 22px; }
.figures .soft { font-variant-numeric: tabular-nums; white-space: nowrap; text-align: right; min-width: 9.5rem; }
.many #machines .card { padding: .3rem .5rem .4rem; font-size: .9rem; }
.many #machines .figures { grid-template-columns: 1fr; margin-top: .1rem; }
.many #machines .figures .soft { display: none; }
.many #machines svg { height: 16px; }
.many #machines .bar svg { height: 5px; }
.bar { height: 6px; background: var(--line); border-radius: 3px; overflow: hidden; }
.bar svg { height: 6px; }
.in { stroke: var(--in); fill: none; } .out { stroke: var(--out); fill: none; } .axis { stroke: var(--line); }
.in, .out, .axis { stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.held { fill: var(--held); }
.c0 { fill: var(--bad); } .c1 { fill: var(--start); } .c2 { fill: var(--up); }
footer { color: var(--soft); font-size: .85rem; padding: 1.2rem 0 2rem; }
.in-key::before, .out-key::before { content: '— '; font-weight: 700; color: var(--in); } .out-key::before { color: var(--out); }
@media (max-width: 40rem) {
  .cards { grid-template-columns: 1fr; }
  .many #machines { grid-template-columns: 1fr 1fr; }
  .many #machines .name small { display: none; }
  #tiles { grid-template-columns: 1fr 1fr; }
  #bar input { width: 100%; }
}
`;
