import type { AnyPlugin } from './engine/plugin.ts';
import address from './plugins/address.ts';
import bootLoader from './plugins/boot-loader.ts';
import bootPackages from './plugins/boot-packages.ts';
import dhcp from './plugins/dhcp.ts';
import earlyField from './plugins/early-field.ts';
import field from './plugins/field.ts';
import firstBoot from './plugins/first-boot.ts';
import fstab from './plugins/fstab.ts';
import health from './plugins/health.ts';
import hostKeys from './plugins/host-keys.ts';
import hostname from './plugins/hostname.ts';
import http from './plugins/http.ts';
import identity from './plugins/identity.ts';
import keyboard from './plugins/keyboard.ts';
import networkQuiet from './plugins/network-quiet.ts';
import noRouter from './plugins/no-router.ts';
import otherHardware from './plugins/other-hardware.ts';
import otherImages from './plugins/other-images.ts';
import resolv from './plugins/resolv.ts';
import roll from './plugins/roll.ts';
import sleep from './plugins/sleep.ts';
import tftp from './plugins/tftp.ts';
import time from './plugins/time.ts';
import x11 from './plugins/x11.ts';

/** The plugins in the executable, in the order a role's `basic` names them. */
export const BASIC_PLUGINS: readonly AnyPlugin[] = [
  ...[
    hostname,
    identity,
    hostKeys,
    firstBoot,
    fstab,
    otherHardware,
    networkQuiet,
    sleep,
    x11,
    keyboard,
    time,
    bootPackages,
  ],
  ...[address, earlyField, resolv, field, otherImages, bootLoader, http, tftp, dhcp, noRouter, health, roll],
];
