// Which files of a kernel's modules have to be loaded, in which order, from the `modules.dep` that depmod wrote.

/** Paths below the folder of `modules.dep`, each after those it needs. Throws where a module is unknown. */
export function orderModules(modulesDep: string, names: readonly string[]): string[] {
  const needs = new Map<string, { readonly path: string; readonly before: readonly string[] }>()
  for (const line of modulesDep.split('\n')) {
    const [path = '', before = ''] = line.split(':')
    if (path !== '') needs.set(moduleName(path), { path, before: before.split(' ').filter((word) => word !== '') })
  }
  const ordered = new Set<string>()
  for (const name of names) {
    const found = needs.get(name)
    if (found === undefined) throw new Error(`this kernel has no module ${name}`)
    // depmod names what is needed directly first.
    for (const path of [...found.before].reverse()) ordered.add(path)
    ordered.add(found.path)
  }
  return [...ordered]
}

const moduleName = (path: string) =>
  path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko.*$/, '')
    .replaceAll('-', '_')
