// How well a process is, as its /healthz, /livez and /readyz say it.

/** Says why something is not well; undefined: it is. */
export type Check = () => string | undefined

/** The report that kube-apiserver gives for `?verbose`, with the reasons instead of "reason withheld". */
export function checkAll(
  endpoint: string,
  checks: Readonly<Record<string, Check>>,
  excluded: readonly string[] = [],
): { readonly healthy: boolean; readonly report: string } {
  let healthy = true
  const lines = Object.entries(checks).map(([name, check]) => {
    if (excluded.includes(name)) return `[+]${name} excluded: ok`
    const reason = check()
    if (reason === undefined) return `[+]${name} ok`
    healthy = false
    return `[-]${name} failed: ${reason}`
  })
  return { healthy, report: `${lines.join('\n')}\n${endpoint} check ${healthy ? 'passed' : 'failed'}\n` }
}
