// How each server is started on a port of loopback with the benchmark's names: a folder in, a command line out.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Start = { readonly command: readonly string[] }

/** `zone` is the zone file's path; all state stays in `folder`. One thread each. */
export const peerServers: Readonly<
  Record<string, (program: string, folder: string, zone: string, port: number) => Start>
> = {
  nsd(program, folder, zone, port) {
    const file = join(folder, 'nsd.conf')
    writeFileSync(
      file,
      `server:\n  ip-address: 127.0.0.1@${port}\n  username: ""\n  chroot: ""\n  zonesdir: ${folder}\n  pidfile: ${folder}/nsd.pid\n  xfrdfile: ${folder}/xfrd\n  zonelistfile: ${folder}/list\n  database: ""\n  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: cluster.local\n  zonefile: ${zone}\n`,
    )
    return { command: [program, '-d', '-c', file] }
  },
  knot(program, folder, zone, port) {
    const file = join(folder, 'knot.conf')
    writeFileSync(
      file,
      `server:\n  listen: 127.0.0.1@${port}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n  rundir: ${folder}\ndatabase:\n  storage: ${folder}\nlog:\n  - target: stderr\n    any: error\nzone:\n  - domain: cluster.local\n    file: ${zone}\n`,
    )
    return { command: [program, '-c', file] }
  },
  bind(program, folder, zone, port) {
    const file = join(folder, 'named.conf')
    writeFileSync(
      file,
      `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file "${folder}/named.pid"; session-keyfile "${folder}/key"; managed-keys-directory "${folder}"; };\ncontrols { };\nzone "cluster.local" { type primary; file "${zone}"; };\n`,
    )
    return { command: [program, '-f', '-n', '1', '-c', file] }
  },
  coredns(program, folder, zone, port) {
    const file = join(folder, 'Corefile')
    writeFileSync(file, `.:${port} {\n  bind 127.0.0.1\n  file ${zone} cluster.local\n}\n`)
    return { command: [program, '-conf', file] }
  },
}
