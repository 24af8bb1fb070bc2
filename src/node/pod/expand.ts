// $(NAME) references in commands, arguments and environment variables, as Kubernetes' expansion rules have it: an
// unknown name stays as it is written, $$ is an escaped $, and what is not a reference is left alone.

/** Replaces each $(NAME) in `input` by the first of `sources` that knows the name. */
export function expand(input: string, ...sources: readonly ReadonlyMap<string, string>[]): string {
  return input.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return sources.find((source) => source.has(name))?.get(name) ?? whole
  })
}
