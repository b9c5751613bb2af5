import type { Action } from '../../event.ts';
import type { ChunkRange } from '../../wire/chunk-set.ts';
import { inMessages, NAMED_LIMIT, toRanges } from '../../wire/ranges.ts';
import type { Client } from './client.ts';

/** News of new chunks are gathered for so long: to read them costs every client more than their bytes. */
const NEWS_MS = 500;
const RARE_NEWS_MS = 5;
/** So many, those served least lately, hear of a rare chunk at once: they will have it for the others. */
const RARE_TOLD = 3;

/** A chunk is held from now on. `isRare`: hardly anybody else has it, so that others wait for these news. */
export function tellOf(chunk: number, isRare: boolean, clients: Iterable<Client>, now: number): void {
  let told = isRare ? RARE_TOLD : 0;
  const subscribed = [...clients].filter(({ subscribed }) => subscribed);
  if (told > 0) subscribed.sort((a, b) => a.lastServed - b.lastServed);
  for (const client of subscribed) {
    client.news.set(chunk, true);
    client.newsAt = Math.min(client.newsAt, now + (told-- > 0 ? RARE_NEWS_MS : NEWS_MS));
  }
}

/** A chunk is not held any more. */
export function tellLost(chunk: number, client: Client, now: number): void {
  if (!client.subscribed) return;
  client.news.set(chunk, false);
  client.newsAt = Math.min(client.newsAt, now + NEWS_MS);
}

/** Tells a client what has come and gone since, and of which of its requests nothing comes. */
export function sendNews(client: Client, out: Action[]): void {
  const { conn, news, lacking } = client;
  client.newsAt = Number.POSITIVE_INFINITY;
  if (news.size > 0) {
    const added: number[] = [];
    const removed: number[] = [];
    for (const [chunk, isHeld] of news) (isHeld ? added : removed).push(chunk);
    news.clear();
    const [came, went] = [inMessages(sorted(added)), inMessages(sorted(removed))];
    for (let i = 0; i < Math.max(came.length, went.length); i++) {
      out.push({ kind: 'frame', conn, frame: { kind: 'have', added: came[i] ?? [], removed: went[i] ?? [] } });
    }
  }
  // After the news: who was told in time that a chunk is gone does not take its lack for a broken promise.
  if (lacking.length + client.lackingChoices > 0) {
    const lists = inMessages(sorted([...new Set(lacking)]), NAMED_LIMIT);
    for (const ranges of lists.length === 0 ? [[]] : lists) {
      out.push({ kind: 'frame', conn, frame: { kind: 'lack', choices: client.lackingChoices, ranges } });
      client.lackingChoices = 0;
    }
    client.lacking = [];
  }
}

function sorted(chunks: number[]): ChunkRange[] {
  return toRanges(chunks.sort((a, b) => a - b));
}
