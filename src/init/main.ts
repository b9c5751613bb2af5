import { readFileSync } from 'node:fs';

console.log('viver', process.argv, performance.now(), performance.timeOrigin);
setInterval(() => {}, 1000);
