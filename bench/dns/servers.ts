// How each server is started on a port of loopback with the benchmark's names: a folder in, a command line out.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Place = {
  /** all state stays in it */
  readonly folder: string
  /** the zone file's path */
  readonly zone: string
  readonly port: number
  /** the port of who knows all other names */
  readonly upstream: number
}

export type PeerServer = {
  readonly command: (program: string, place: Place) => readonly string[]
  readonly forwards: boolean
}

/** One thread each. */
export const peerServers: Readonly<Record<string, PeerServer>> = {
  nsd: {
    forwards: false,
    command(program, { folder, zone, port }) {
      const file = join(folder, 'nsd.conf')
      writeFileSync(
        file,
        `server:\n  ip-address: 127.0.0.1@${port}\n  username: ""\n  chroot: ""\n  zonesdir: ${folder}\n  pidfile: ${folder}/nsd.pid\n  xfrdfile: ${folder}/xfrd\n  zonelistfile: ${folder}/list\n  database: ""\n  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: cluster.local\n  zonefile: ${zone}\n`,
      )
      return [program, '-d', '-c', file]
    },
  },
  knot: {
    forwards: false,
    command(program, { folder, zone, port }) {
      const file = join(folder, 'knot.conf')
      writeFileSync(
        file,
        `server:\n  listen: 127.0.0.1@${port}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n  rundir: ${folder}\ndatabase:\n  storage: ${folder}\nlog:\n  - target: stderr\n    any: error\nzone:\n  - domain: cluster.local\n    file: ${zone}\n`,
      )
      return [program, '-c', file]
    },
  },
  bind: {
    forwards: true,
    command(program, { folder, zone, port, upstream }) {
      const file = join(folder, 'named.conf')
      writeFileSync(
        file,
        `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion yes; forward only; forwarders { 127.0.0.1 port ${upstream}; }; dnssec-validation no; pid-file "${folder}/named.pid"; session-keyfile "${folder}/key"; managed-keys-directory "${folder}"; };\ncontrols { };\nzone "cluster.local" { type primary; file "${zone}"; };\n`,
      )
      return [program, '-f', '-n', '1', '-c', file]
    },
  },
  coredns: {
    forwards: true,
    command(program, { folder, zone, port, upstream }) {
      const file = join(folder, 'Corefile')
      writeFileSync(
        file,
        `cluster.local:${port} {\n  bind 127.0.0.1\n  file ${zone}\n}\n.:${port} {\n  bind 127.0.0.1\n  forward . 127.0.0.1:${upstream}\n  cache 3600\n}\n`,
      )
      return [program, '-conf', file]
    },
  },
}

/** The Corefile of Fairway, with metrics as in a cluster. */
export const corefile = ({ port, upstream }: Place, metricsPort: number): string => `.:${port} {
  errors
  prometheus 127.0.0.1:${metricsPort}
  kubernetes cluster.local {
    ttl 30
    startup_timeout 120s
  }
  forward . 127.0.0.1:${upstream}
  cache 3600
  loadbalance
}
`
