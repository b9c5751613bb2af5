import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../../linux/describe-error.ts';
import { sha256 } from '../../../linux/sha256.ts';

/**
 * An image in an OCI layout (OCI Image Format Specification: image-layout.md, image-index.md, manifest.md): index.json
 * names a manifest, that its layers, all of them by the digest of their bytes.
 */
export interface OciImage {
  /** For messages. */
  readonly name: string;
  /** The lowest first. */
  readonly layers: readonly OciBlob[];
}

export interface OciBlob {
  readonly path: string;
  /** SHA-256 in hex. */
  readonly digest: string;
  readonly size: number;
}

/** Of index.json and manifests. */
const LONGEST_JSON = 4 * 1024 * 1024;
const MOST_LAYERS = 1000;
/** Indexes in indexes. */
const DEEPEST = 4;

const INDEXES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386' };

/**
 * The image of a layout: for this machine's architecture where there are several.
 * @throws Error in one line for what is no layout or not what its digest says
 */
export function openLayout(directory: string): OciImage {
  try {
    const index = parse(readFileSync(join(directory, 'index.json')).subarray(0, LONGEST_JSON), 'index.json');
    const manifest = manifestOf(directory, index, 0);
    const layers = arrayOf(manifest.layers);
    if (layers.length === 0) throw new Error('its manifest names no layers');
    if (layers.length > MOST_LAYERS) throw new Error(`its manifest names ${layers.length} layers`);
    return { name: `oci:${directory}`, layers: layers.map((layer) => blobOf(directory, layer)) };
  } catch (error) {
    throw new Error(`oci:${directory}: ${describeError(error)}`);
  }
}

type Json = Readonly<Record<string, unknown>>;

function manifestOf(directory: string, index: Json, depth: number): Json {
  const manifests = arrayOf(index.manifests);
  const mine = ARCHITECTURES[process.arch];
  const fits = manifests.filter((each) => {
    const { architecture, os } = objectOf(each.platform);
    return (architecture === undefined || architecture === mine) && (os === undefined || os === 'linux');
  });
  const [chosen, second] = fits.filter(
    ({ annotations }) => objectOf(annotations)['vnd.docker.reference.type'] === undefined,
  );
  if (chosen === undefined) throw new Error(`it has no image for ${mine ?? process.arch}`);
  if (second !== undefined && depth === 0 && !INDEXES.includes(String(chosen.mediaType))) {
    const names = fits.map(({ annotations }) =>
      String(objectOf(annotations)['org.opencontainers.image.ref.name'] ?? '?'),
    );
    throw new Error(`it has several images (${names.join(', ')}): copy one into a layout of its own`);
  }
  const blob = blobOf(directory, chosen);
  if (blob.size > LONGEST_JSON) throw new Error(`its manifest of ${blob.size} bytes is too long`);
  const bytes = readFileSync(blob.path);
  const digest = sha256(bytes).toString('hex');
  if (digest !== blob.digest) throw new Error(`the blob ${blob.digest} has the digest ${digest}: it is damaged`);
  const found = parse(bytes, 'its manifest');
  if (!INDEXES.includes(String(chosen.mediaType)) && found.manifests === undefined) return found;
  if (depth === DEEPEST) throw new Error('its indexes lead to indexes without end');
  return manifestOf(directory, found, depth + 1);
}

function blobOf(directory: string, descriptor: Json): OciBlob {
  const [, digest] = /^sha256:([0-9a-f]{64})$/.exec(String(descriptor.digest)) ?? [];
  if (digest === undefined) throw new Error(`${JSON.stringify(descriptor.digest)} is no SHA-256 digest`);
  const path = join(directory, 'blobs/sha256', digest);
  const size = sizeOf(path);
  if (descriptor.size !== size) throw new Error(`the blob ${digest} has ${size} bytes, ${descriptor.size} were said`);
  return { path, digest, size };
}

function sizeOf(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${path} is no file`);
    return stat.size;
  } finally {
    closeSync(fd);
  }
}

function parse(bytes: Uint8Array, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new Error(`${what} is no JSON`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no JSON object`);
  return value as Json;
}

const objectOf = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const arrayOf = (value: unknown): Json[] => (Array.isArray(value) ? value.map(objectOf) : []);
