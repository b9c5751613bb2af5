import { dlopen, getRawPointer, toString as stringAt } from 'node:ffi';

/** kmod itself as the judge: the library behind modprobe, in this process, so that thousands of questions take a second. */
const { functions: kmod } = dlopen('libkmod.so.2', {
  kmod_new: { arguments: ['string', 'pointer'], return: 'pointer' },
  kmod_load_resources: { arguments: ['pointer'], return: 'i32' },
  kmod_set_log_priority: { arguments: ['pointer', 'i32'], return: 'void' },
  kmod_module_new_from_lookup: { arguments: ['pointer', 'string', 'pointer'], return: 'i32' },
  kmod_list_next: { arguments: ['pointer', 'pointer'], return: 'pointer' },
  kmod_module_get_module: { arguments: ['pointer'], return: 'pointer' },
  kmod_module_get_name: { arguments: ['pointer'], return: 'pointer' },
  kmod_module_unref: { arguments: ['pointer'], return: 'pointer' },
  kmod_module_unref_list: { arguments: ['pointer'], return: 'i32' },
});

/** Answers as `modprobe -R` does for the modules of this directory with the system's configuration. */
export function openKmod(directory: string): (alias: string) => string[] {
  const context = kmod.kmod_new(directory, 0n);
  kmod.kmod_set_log_priority(context, 0);
  const loaded = kmod.kmod_load_resources(context);
  if (loaded !== 0) throw new Error(`libkmod cannot read ${directory}: ${loaded}`);
  const list = new BigUint64Array(1);
  const listPointer = getRawPointer(list);
  return (alias) => {
    list[0] = 0n;
    const error = kmod.kmod_module_new_from_lookup(context, alias, listPointer);
    const head = list[0] ?? 0n;
    const names: string[] = [];
    if (error < 0) return names;
    for (let entry = head; entry !== 0n && entry !== null; entry = kmod.kmod_list_next(head, entry)) {
      const module = kmod.kmod_module_get_module(entry);
      names.push(stringAt(kmod.kmod_module_get_name(module)) ?? '');
      kmod.kmod_module_unref(module);
    }
    kmod.kmod_module_unref_list(head);
    return names;
  };
}
