/**
 * What an image of an installed system does not share, as text that is shown (`viver image excludes`), saved and changed
 * by a person. A line is a word, a pattern and, after #, the reason:
 *
 *     drop     not in the image, with all below it
 *     inside   the directory is, nothing in it
 *     files    the directories below are, no files
 *     empty    the file is, without its content
 *     secret   dropped when it holds a password (a line `psk=…` or the like)
 *     keep     is in the image after all; the last line that fits counts
 *
 * A pattern beginning with / is a path from the tree's root, another one fits a name in any directory. `*` and `?` stand
 * for what a name may hold, `**` for slashes too, `[…]` for one character of several. A directory that is dropped or
 * emptied is not looked into: `keep` cannot bring back a part of it.
 *
 * What must not act on another machine (fstab, network configuration, services for one machine's disks) is not here: the
 * boot sees to that, and changes nothing in the image.
 */
export const EXCLUDES = `
# Who a machine is. The boot gives each machine its own.
empty  /etc/machine-id                          # machine id: systemd wants the file there, empty
drop   /var/lib/dbus/machine-id                 # machine id
drop   /etc/ssh/ssh_host_*_key                  # host keys: each machine makes its own
drop   /etc/ssh/ssh_host_*_key.pub              # host keys
drop   /etc/ssh/ssh_host_*_key-cert.pub         # host keys
drop   /etc/dropbear/dropbear_*_host_key        # host keys
drop   /etc/tinyssh/sshkeydir                   # host keys
drop   /etc/hostid                              # host id
drop   /etc/iscsi/initiatorname.iscsi           # iSCSI name of one machine
drop   /etc/nvme/hostnqn                        # NVMe name of one machine
drop   /etc/nvme/hostid                         # NVMe name of one machine
drop   /var/lib/systemd/credential.secret       # secret of one machine
drop   /var/lib/systemd/tpm2-srk-public-key.*   # secret of one machine

# Seeds of chance, which nobody else may know.
drop   /var/lib/systemd/random-seed             # random seed
drop   /var/lib/urandom/random-seed             # random seed
drop   /var/lib/misc/random-seed                # random seed
drop   /var/lib/random-seed                     # random seed
drop   /etc/random-seed                         # random seed
inside /var/lib/seedrng                         # random seed
drop   /etc/seedrng/seed.*                      # random seed
drop   /boot/loader/random-seed                 # random seed
drop   /boot/efi/loader/random-seed             # random seed
drop   /efi/loader/random-seed                  # random seed

# Leases and DHCP identities.
drop   /etc/dhcpcd.duid                         # DHCP identity
drop   /etc/dhcpcd.secret                       # DHCP identity
inside /var/lib/dhcp                            # leases
inside /var/lib/dhcpcd                          # leases
inside /var/lib/dhcpcd5                         # leases
inside /var/lib/dhclient                        # leases
drop   /var/lib/NetworkManager/secret_key       # DHCP identity
drop   /var/lib/NetworkManager/*.lease          # leases
drop   /var/lib/NetworkManager/timestamps       # leases
inside /var/lib/systemd/network                 # leases

# Passwords of networks.
secret /etc/NetworkManager/system-connections/* # Wi-Fi and VPN passwords
secret /etc/wpa_supplicant/*.conf               # Wi-Fi passwords
secret /etc/wpa_supplicant.conf                 # Wi-Fi passwords
secret /etc/netplan/*.yaml                      # Wi-Fi passwords
secret /etc/sysconfig/network/ifcfg-*           # Wi-Fi passwords
secret /etc/sysconfig/network-scripts/keys-*    # Wi-Fi passwords
drop   /var/lib/iwd/*.psk                       # Wi-Fi passwords
drop   /var/lib/iwd/*.8021x                     # Wi-Fi passwords
inside /var/lib/connman                         # Wi-Fi passwords
inside /var/lib/bluetooth                       # keys of paired devices

# One machine's hardware.
drop   /etc/udev/rules.d/70-persistent-net.rules  # names of one machine's network cards
drop   /etc/udev/rules.d/75-persistent-net-generator.rules  # names of one machine's network cards
drop   /etc/udev/rules.d/70-persistent-cd.rules # names of one machine's drives
drop   /etc/lvm/archive                         # one machine's disks
drop   /etc/lvm/backup                          # one machine's disks
drop   /etc/lvm/devices/system.devices          # one machine's disks
drop   /etc/blkid.tab                           # one machine's disks
inside /run                                     # of the running system

# What can be made or fetched again.
files  /var/cache                               # caches
inside /var/cache/apt/archives                  # caches
keep   /var/cache/debconf/**                    # answers to packages' questions
keep   /var/cache/cracklib/**                   # used by passwd
keep   /var/cache/dictionaries-common/**        # spelling
files  /root/.cache                             # caches
files  /home/*/.cache                           # caches
files  /var/lib/apt/lists                       # package lists
drop   /var/lib/NetworkManager/NetworkManager-intern.conf  # caches
inside /tmp                                     # temporary files
inside /var/tmp                                 # temporary files
inside /home/*/.local/share/Trash               # waste baskets
inside /root/.local/share/Trash                 # waste baskets
drop   .nfs[0-9a-f]*                            # files that were deleted while open
inside /lost+found                              # found by fsck
inside /boot/lost+found                         # found by fsck
inside /home/lost+found                         # found by fsck
inside /var/lost+found                          # found by fsck

# What happened on one machine.
files  /var/log                                 # logs
inside /var/log/journal                         # logs, by machine id
inside /var/crash                               # crash dumps
inside /var/lib/systemd/coredump                # crash dumps
inside /var/spool/abrt                          # crash dumps
inside /var/lib/kdump                           # crash dumps
inside /var/lib/systemd/pstore                  # crash dumps
inside /var/lib/systemd/backlight               # states of one machine's hardware
inside /var/lib/systemd/rfkill                  # states of one machine's hardware
drop   /var/lib/sudo/ts                         # who had given a password
drop   /root/.bash_history                      # what root typed
drop   /root/.lesshst                           # what root typed
drop   /root/.viminfo                           # what root typed
inside /var/spool/mqueue                        # mail under way
inside /var/mail                                # mail

# Swap, snapshots, the system asleep.
drop   /swapfile                                # swap
drop   /swap.img                                # swap
drop   /swap/swapfile                           # swap
drop   /var/swap                                # swap
drop   /var/swapfile                            # swap
drop   /hibfile                                 # swap
inside /.snapshots                              # snapshots
inside /home/.snapshots                         # snapshots
drop   /timeshift                               # snapshots
drop   /timeshift-btrfs                         # snapshots

# Left by an installation: VIVER's own, and what the image's owner does not boot with.
drop   /boot/initrd.img*                        # initrds of the installed system: VIVER's is used
drop   /boot/initramfs-*                        # initrds of the installed system
drop   /boot/booster-*                          # initrds of the installed system
drop   /initrd.img*                             # initrds of the installed system
drop   /var/lib/viver                           # VIVER's own
drop   /usr/local/lib/viver                     # VIVER's own
drop   /etc/apt/apt.conf.d/99viver              # VIVER's own
drop   /etc/NetworkManager/conf.d/zz-viver.conf # VIVER's own
drop   /etc/X11/xorg.conf.d/00-viver.conf       # VIVER's own
drop   /etc/elogind/sleep.conf.d/viver.conf     # VIVER's own
drop   /etc/init.d/viver-runes                  # VIVER's own
drop   /etc/runlevels/*/viver-runes             # VIVER's own
`;
