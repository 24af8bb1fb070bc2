// /etc/resolv.conf, which names the servers that a machine or a pod asks (resolv.conf(5)).

export type ResolvConf = {
  readonly servers: readonly string[]
  /** without a trailing dot */
  readonly searches: readonly string[]
  /** `ndots:5` */
  readonly options: readonly string[]
}

/** The last `search` or `domain` line wins, options add up, servers accumulate; what else stands there is ignored. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = []
  let searches: readonly string[] = []
  let options: readonly string[] = []
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(rest[0])
    else if (word === 'search' || word === 'domain')
      searches = rest.filter((domain) => domain !== '.').map((domain) => domain.replace(/\.$/, ''))
    else if (word === 'options') options = mergeOptions(options, rest)
  }
  return { servers, searches, options }
}

export function renderResolvConf({ servers, searches, options }: ResolvConf): string {
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}\n`] : []),
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('')
}

/** Later options replace earlier ones of the same name. */
export function mergeOptions(existing: readonly string[], added: readonly string[]): string[] {
  const byName = new Map<string, string>()
  for (const option of [...existing, ...added]) byName.set(option.split(':')[0]!, option)
  return [...byName.values()]
}
