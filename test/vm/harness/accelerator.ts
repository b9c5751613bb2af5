import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { product, vmDirectory } from './products.ts';

/** A kernel under a working KVM is through in one or two. */
const PROBE_SECONDS = 8;

/**
 * Whether a kernel really boots under KVM here. /dev/kvm may be there and open, and the guest yet not get past its
 * first instructions (nested virtualisation): only a kernel that gets as far as looking for its root proves it.
 */
async function kvmBoots(): Promise<boolean> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return false;
  }
  const append = 'console=ttyS0 panic=-1';
  const args = ['-nodefaults', '-no-user-config', '-no-reboot', '-accel', 'kvm', '-cpu', 'qemu64', '-m', '512M'];
  args.push('-display', 'none', '-serial', 'stdio', '-kernel', product('vmlinuz'), '-append', append);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PROBE_SECONDS * 1000);
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return text.includes('Unable to mount root fs');
}

/** The probe's answer holds until the host is booted again. */
async function probe(): Promise<'kvm' | 'tcg'> {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const known = join(vmDirectory(), `accelerator-${boot}`);
  if (existsSync(known)) return readFileSync(known, 'utf8') === 'kvm' ? 'kvm' : 'tcg';
  const answer = (await kvmBoots()) ? 'kvm' : 'tcg';
  writeFileSync(known, answer);
  return answer;
}

let probed: Promise<'kvm' | 'tcg'> | undefined;

/** kvm where it works, else tcg; VIVER_ACCEL=tcg|kvm decides without asking. */
export function accelerator(): Promise<'kvm' | 'tcg'> {
  const chosen = process.env.VIVER_ACCEL;
  if (chosen === 'tcg' || chosen === 'kvm') return Promise.resolve(chosen);
  probed ??= probe();
  return probed;
}
