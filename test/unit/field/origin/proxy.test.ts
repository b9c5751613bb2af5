import { expect, test } from 'vitest';
import { proxyFor } from '../../../../src/field/origin/proxy.ts';

const P = 'http://proxy.example:3128';

test.each([
  ['http://a.example/', { http_proxy: P }, true],
  ['http://a.example/', { HTTP_PROXY: P }, false],
  ['https://a.example/', { http_proxy: P }, false],
  ['https://a.example/', { HTTPS_PROXY: P }, true],
  ['https://a.example/', { all_proxy: 'proxy.example:3128' }, true],
  ['http://a.example/', { http_proxy: P, no_proxy: '*' }, false],
  ['http://a.example/', { http_proxy: P, no_proxy: 'example' }, false],
  ['http://a.example/', { http_proxy: P, no_proxy: '.example' }, false],
  ['http://a.example/', { http_proxy: P, no_proxy: 'b.example, a.example' }, false],
  ['http://ba.example/', { http_proxy: P, no_proxy: 'a.example' }, true],
  ['http://a.example:81/', { http_proxy: P, no_proxy: 'a.example:80' }, true],
  ['http://a.example:81/', { http_proxy: P, no_proxy: 'a.example:81' }, false],
  ['http://10.1.2.3/', { http_proxy: P, no_proxy: '10.0.0.0/8' }, false],
  ['http://11.1.2.3/', { http_proxy: P, no_proxy: '10.0.0.0/8,10.0.0.0/99' }, true],
  ['http://[fd00::1]/', { http_proxy: P, no_proxy: 'fd00::/8' }, false],
  ['http://[fd00::1]/', { http_proxy: P, no_proxy: 'fd00::1' }, false],
  ['http://a.example/', { http_proxy: '' }, false],
])('%s with %o goes by a proxy: %s', (url, environment, isProxied) => {
  const proxy = proxyFor(new URL(url), environment);
  expect(proxy).toEqual(isProxied ? { host: 'proxy.example', port: 3128, authorization: undefined } : undefined);
});

test('a proxy that is none is named without its password', () => {
  expect(() => proxyFor(new URL('http://a/'), { http_proxy: 'socks5://u:secret@p' })).toThrow(
    /http_proxy.*no http URL/,
  );
  expect(() => proxyFor(new URL('http://a/'), { http_proxy: 'socks5://u:secret@p' })).not.toThrow(/secret/);
});
