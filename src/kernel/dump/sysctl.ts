// `sysctl -a`: kernel parameters by name.
import { type Parsed, parseLines } from '#kernel/dump/lines.ts'

/** Names as sysctl prints them: `net.ipv4.ip_forward`; a dot within the name of an interface is `/` there. */
export type Sysctls = ReadonlyMap<string, string>

export function parseSysctls(text: string): Parsed<Sysctls> {
  const { value, unread } = parseLines(text, (line): readonly [string, string] | undefined => {
    const [, name, setting] = /^([\w./@:-]+) = ?(.*)$/.exec(line) ?? []
    return name === undefined ? undefined : [name, setting!.trim()]
  })
  return { value: new Map(value), unread: unread.filter(({ text: line }) => !line.startsWith('sysctl: ')) }
}

export const renderSysctls = (sysctls: Sysctls): string =>
  [...sysctls].map(([name, value]) => `${name} = ${value}\n`).join('')

/** `net.ipv4.conf.DEVICE.NAME` */
export const deviceSetting = (sysctls: Sysctls, family: 4 | 6, device: string, name: string): number | undefined => {
  const text = sysctls.get(`net.ipv${family}.conf.${device.replaceAll('.', '/')}.${name}`)
  return text === undefined ? undefined : Number(text)
}
