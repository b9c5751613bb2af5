import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readModuleIndex } from '../../../src/hardware/module-directory.ts';
import { moduleNameOfPath } from '../../../src/hardware/module-name.ts';
import { planModules } from '../../../src/hardware/plan.ts';
import { chooseModules } from '../../../src/kit/initrd/choose-modules.ts';
import { kernelModules } from './kernel-tree.ts';

const root = join(import.meta.dirname, '../../..');
const directory = kernelModules();
const index = readModuleIndex(directory, { configPaths: [] });
const chosen = chooseModules(directory, join(root, 'initrd/modules.list'));
const inInitrd = new Set(chosen.map(moduleNameOfPath));

/** What a person types on at the prompt, link by link from the bus to the keys. */
test.each([
  ['a USB keyboard', 'usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00', 'usbhid'],
  ['an Apple keyboard', 'hid:b0003g0001v000005ACp00000267', 'hid_apple'],
  ['any other keyboard', 'hid:b0003g0001v0000046Dp0000C31C', 'hid_generic'],
  ['the I2C host of a laptop', 'pci:v00008086d0000A0E8sv00001028sd00000A5Dbc0Csc80i00', 'intel_lpss_pci'],
  ['a keyboard on I2C', 'acpi:MSFT0001:PNP0C50:', 'i2c_hid_acpi'],
  ['the controller of a Surface', 'acpi:MSHW0084:', 'surface_aggregator'],
  ['what a Surface has behind it', 'acpi:MSHW0110:', 'surface_aggregator_registry'],
  ['the keyboard of a Surface', 'ssam:d01c15t02i01f00', 'surface_hid'],
  ['the type cover of an older Surface', 'acpi:MSHW0096:', 'surface_kbd'],
  ['the SPI host of a MacBook', 'pci:v00008086d00009D66sv00000000sd00000000bc11sc80i00', 'intel_lpss_pci'],
  ['that host itself', 'platform:pxa2xx-spi', 'spi_pxa2xx_platform'],
  ['the keyboard of a MacBook', 'acpi:APP000D:', 'applespi'],
  ['a keyboard of Hyper-V', 'vmbus:6dad12f9172bea48bd65f927a61c7684', 'hyperv_keyboard'],
  ['the keyboard of a virtual machine', 'virtio:d00000012v00001AF4', 'virtio_input'],
  ['the console of a virtual machine', 'virtio:d00000003v00001AF4', 'virtio_console'],
])('%s is driven, by a module of the initrd', (_what, modalias, module) => {
  const bus = modalias.slice(0, modalias.indexOf(':'));
  const { modules } = planModules([{ path: '/devices/one', name: 'one', bus, modaliases: [modalias] }], index);
  const names = modules.map(({ name }) => name);
  if (!index.isBuiltin(module)) expect(names).toContain(module);
  expect(names.filter((name) => !inInitrd.has(name))).toEqual([]);
});
