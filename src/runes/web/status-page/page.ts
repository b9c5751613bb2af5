import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

/** What a teacher looks at: each machine, where it is in its boot, and what is wrong. One file, nothing from elsewhere. */
export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VIVER</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<header>
<h1 id="title">VIVER</h1>
<p id="facts">asking the machines …</p>
<div id="tiles"></div>
<ul id="lost" class="trouble"></ul>
<ul id="trouble" class="trouble" role="status"></ul>
</header>
<main>
<h2 id="loading-title" hidden></h2>
<div id="loading" class="cards"></div>
<div id="bar"><h2 id="machines-title">Machines</h2><input id="find" type="search" placeholder="find: name, address, role …" aria-label="find"></div>
<div id="machines" class="cards"></div>
<footer><span class="in-key">in</span> <span class="out-key">out</span>: bytes per second on the wire, the last five minutes. The bar: what a machine
holds of the image. The same in a terminal: <code>viver status</code>; for programs: <a href="machines.json">machines.json</a>.
<noscript>This page needs JavaScript; without it use viver status.</noscript></footer>
</main>
<script>${SCRIPT}</script>
</html>
`;
