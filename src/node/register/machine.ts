// effect: facts of this machine in /proc, /sys and /etc
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, release } from 'node:os'
import type { MachineFacts } from '#node/register/node-object.ts'

/** `folder`: where pods write; its file system is the node's storage. */
export function observeMachine(folder: string): MachineFacts {
  const machineId = readLine('/etc/machine-id')
  const { blocks, bsize } = statfsSync(folder)
  return {
    cpus: availableParallelism(),
    memoryKiB: Number(/^MemTotal:\s+(\d+)/m.exec(readText('/proc/meminfo'))?.[1] ?? 0),
    diskKiB: Math.floor((blocks * bsize) / 1024),
    machineId,
    systemUuid: readLine('/sys/class/dmi/id/product_uuid') || machineId,
    bootId: readLine('/proc/sys/kernel/random/boot_id'),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(readText('/etc/os-release'))?.[1] ?? 'Linux',
    architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch,
  }
}

const readLine = (path: string) => readText(path).trim()

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
