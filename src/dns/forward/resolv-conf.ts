// What /etc/resolv.conf names: the servers to forward to (resolv.conf(5)).

export type ResolvConf = {
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  let search: string[] = []
  let options: string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0])
    // Of several search or domain lines the last one counts.
    if (keyword === 'search' || keyword === 'domain') search = values
    if (keyword === 'options') options = [...options, ...values]
  }
  return { nameservers, search, options }
}
