import { expect, test } from 'vitest';
import { isoParts } from '../../../../src/kit/spdx/iso-parts.ts';

test('files and images whose names differ in letters that SPDX does not take have ids of their own', () => {
  const kit = { packages: [], files: [], relationships: [], hasExtractedLicensingInfos: [] };
  const names = ['a_b', 'a+b', 'a-b', 'a~b'];
  const parts = names.map((name) => ({ path: `boot/${name}/vmlinuz`, sha1: '', sha256: '', kind: 'kernel' as const }));
  const images = names.map((name) => ({ path: `viver/${name}.sqfs`, list: undefined }));
  const spdx = isoParts(kit, { id: '0123456789abcdef', seconds: 0, parts, images });
  const { files } = spdx as unknown as { files: readonly { SPDXID: string }[] };
  const ids = [...(spdx.packages as readonly { SPDXID: string }[]), ...files].map(({ SPDXID }) => SPDXID);
  expect(new Set(ids).size).toBe(8);
  for (const id of ids) expect(id).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
});
