/**
 * Services that want a person, a cloud or the machine's installer at the first boot. Here every boot may be the first one,
 * and nobody sits at most machines.
 */
export interface FirstBootService {
  /** Of systemd's unit without `.service`, and of the script of other init systems. */
  readonly name: string;
  readonly why: string;
}

const ASKS = 'asks a person at the first boot';

export const FIRST_BOOT_SERVICES: readonly FirstBootService[] = [
  { name: 'systemd-firstboot', why: ASKS },
  { name: 'systemd-homed-firstboot', why: ASKS },
  { name: 'initial-setup', why: ASKS }, // Fedora and its kin
  { name: 'initial-setup-reconfiguration', why: ASKS },
  { name: 'firstboot', why: ASKS },
  { name: 'YaST2-Firstboot', why: ASKS }, // SUSE
  { name: 'jeos-firstboot', why: ASKS },
  { name: 'oem-config', why: ASKS }, // Ubuntu
  { name: 'userconfig', why: ASKS }, // Raspberry Pi OS
  { name: 'armbian-firstrun', why: 'sets up a board at the first boot' },
  { name: 'armbian-firstrun-config', why: ASKS },
  { name: 'dietpi-firstboot', why: 'sets up a board at the first boot' },
  { name: 'casper', why: 'asks at the end to take a medium out' }, // Ubuntu's live systems
  { name: 'google-guest-agent', why: 'waits for a cloud' },
  { name: 'google-startup-scripts', why: 'waits for a cloud' },
  { name: 'walinuxagent', why: 'waits for a cloud' },
];

/** Wizards of desktops, started by their session or greeter: by path of the entry that starts them. */
export const WIZARD_ENTRIES = [
  '/etc/xdg/autostart/gnome-initial-setup-first-login.desktop',
  '/etc/xdg/autostart/gnome-initial-setup-copy-worker.desktop',
  '/etc/xdg/autostart/piwiz.desktop',
  '/etc/xdg/autostart/pi-greeter-firstboot.desktop',
  '/etc/xdg/autostart/org.kde.plasma-welcome.desktop',
];

/** A desktop entry that starts nothing (Desktop Entry Specification, Hidden). */
export const HIDDEN_ENTRY = '[Desktop Entry]\nType=Application\nName=put aside by VIVER\nHidden=true\n';

/** Configuration of GDM, where Debian and others have it. */
export const GDM_FILES = ['/etc/gdm3/daemon.conf', '/etc/gdm3/custom.conf', '/etc/gdm/custom.conf'];

/** gdm's configuration without its wizard for a system that has no users yet. Pure; the same text where that is said. */
export function gdmWithoutWizard(before: string): string {
  if (/^\s*InitialSetupEnable\s*=\s*false\s*$/im.test(before)) return before;
  const rows = before.split('\n').filter((row) => !/^\s*InitialSetupEnable\s*=/i.test(row));
  const at = rows.findIndex((row) => /^\s*\[daemon\]\s*$/i.test(row));
  if (at < 0) return `${before.replace(/\n*$/, '\n')}\n[daemon]\nInitialSetupEnable=false\n`;
  rows.splice(at + 1, 0, 'InitialSetupEnable=false');
  return rows.join('\n');
}

/** Whether the kernel's command line asks cloud-init to work, or names where its data come from. */
export const asksForCloud = (commandLine: string): boolean =>
  /(^|\s)(cloud-init=enabled|ds=\S|ci\.(ds|datasource)\S*=\S|cloud-config-url=\S)/.test(commandLine);
