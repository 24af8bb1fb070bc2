// Reports that support tools make on one machine: a folder for each, in which only some dumps are of use. Which machine it was
// stands in the report itself.

import { identify } from '#trace/read/identify.ts'
import type { Input } from '#trace/read/iptables.ts'

type Form = {
  /** folders and files of a report with dumps; its other files are left out */
  readonly keeps: RegExp
  /** where the machine's name stands */
  readonly hostname: RegExp
  /** the name of the machine out of that of the report's folder */
  readonly folder?: RegExp
}

/** Namespaces of pods are listed there without saying whose they are; `-s` and the like are of no use. */
const notOurs = /ip_netns_exec|\.conf$|\.d\//

const forms: readonly Form[] = [
  // sosreport
  {
    keeps:
      /^(sos_commands\/(networking|firewall_tables|ipset|ipvs|conntrack|kubernetes|openshift)\/|sos_commands\/kernel\/sysctl_-a$|etc\/resolv\.conf$)/,
    hostname: /^sos_commands\/host\/hostname/,
    folder: /(?:^|\/)sosreport-(.+?)(?:-\d+)?-\d{4}-\d{2}-\d{2}-\w+$/,
  },
  // Rancher's collector, for RKE2 and k3s
  { keeps: /^(networking\/|systeminfo\/sysctla?$|etc\/resolv\.conf$)/, hostname: /^systeminfo\/hostname(fqdn)?$/ },
]

const mark = /^(.*?)((?:^|\/)(?:sos_commands|systeminfo)\/.*)$/

/** The same files, those of a report as `nodes/NAME/FILE` where the name is known. */
export function nameReportFiles(files: readonly Input[]): readonly Input[] {
  const roots = new Map<string, Form>()
  for (const { file } of files) {
    const [, root, rest = ''] = mark.exec(file) ?? []
    if (root === undefined) continue
    const form = rest.replace(/^\//, '').startsWith('sos_commands') ? forms[0]! : forms[1]!
    if (!roots.has(root)) roots.set(root, form)
  }
  if (roots.size === 0) return files
  const names = new Map([...roots].map(([root, form]) => [root, nameOf(files, root, form)]))
  return files.flatMap((input): readonly Input[] => {
    const root = [...roots.keys()].find((one) => isIn(input.file, one))
    if (root === undefined) return [input]
    const inside = within(input.file, root)
    const isKept = roots.get(root)!.keeps.test(inside) && (!notOurs.test(inside) || inside.endsWith('/resolv.conf'))
    if (!isKept || identify(input.text, inside) === undefined) return []
    const last = inside.split('/').at(-1)!
    const name = names.get(root)
    return [{ ...input, file: `${root === '' ? '' : `${root}/`}${name === undefined ? '' : `nodes/${name}/`}${last}` }]
  })
}

const isIn = (file: string, root: string): boolean => root === '' || file.startsWith(`${root}/`)
const within = (file: string, root: string): string => (root === '' ? file : file.slice(root.length + 1))

function nameOf(files: readonly Input[], root: string, { hostname, folder }: Form): string | undefined {
  const told = files.find(({ file }) => isIn(file, root) && hostname.test(within(file, root)))?.text.trim()
  const [word] = told?.split(/\s/) ?? []
  return word !== undefined && /^[\w.-]+$/.test(word) ? word : folder?.exec(root)?.[1]
}
