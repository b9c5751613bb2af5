import { get } from 'node:http';
import { HTTP_PORT } from './places.ts';

/**
 * Asks a machine's web server for a text.
 * @param largest characters
 * @throws Error when it does not answer in time, with another status than 200, or without end
 */
export function fetchText(host: string, path: string, timeoutMs: number, largest: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(new Error(`no answer from ${host}${path}`, { cause }));
    const request = get({ host, port: HTTP_PORT, path, agent: false, signal: AbortSignal.timeout(timeoutMs) });
    request.once('error', fail);
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', fail);
      response.on('data', (part: string) => {
        text += part;
        if (text.length > largest) request.destroy(new Error('an answer without end'));
      });
      response.once('end', () => {
        if (response.statusCode === 200) resolve(text);
        else fail(new Error(`status ${response.statusCode}`));
      });
    });
  });
}
