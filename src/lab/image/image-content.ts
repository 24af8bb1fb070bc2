// What belongs into an image of Fairway, from what the machine's own tools say. Pure.

/** Folders below `node_modules` that the product itself needs: `packages` of package-lock.json. */
export function productPackages(lock: unknown): string[] {
  const { packages } = lock as { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> }
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && !path.startsWith('node_modules/node-linux-'))
    .map(([path]) => path)
}

/** Files that `ldd` names: shared libraries and the loader. */
export const librariesOf = (ldd: string): string[] =>
  ldd.split('\n').flatMap((line) => /(?:=> |^\s+)(\/\S+) \(0x/.exec(line)?.[1] ?? [])

/** Of a Debian package's files (`dpkg -L`), those that a program needs to run. */
export const neededFiles = (dpkg: string): string[] =>
  dpkg.split('\n').filter((path) => path.startsWith('/') && !/^\/(\.|usr\/share|etc\/init|lib\/systemd|$)/.test(path))

/** Tests and what only they read stay at home. */
export const isProduct = (path: string): boolean => !/\.test\.ts$|\/testdata(\/|$)|\/testing(\/|$)/.test(path)
