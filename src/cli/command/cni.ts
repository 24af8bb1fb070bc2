// effect: standard input and output, files of plugins
// The CNI plugin as a program, and its installation where runtimes look for plugins.
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, text } from '#daemon/flags.ts'
import { answerCni } from '#node/cni/answer-cni.ts'
import { hairpinModes, renderSubnetFileConflist } from '#node/cni/network.ts'

export const cni = defineCommand({
  name: 'cni',
  summary: 'the CNI plugin of pods: bridge, addresses and host ports in one',
  usage: '[install] [flags]',
  description:
    'A container runtime calls it as the CNI specification (1.0, 1.1) says: by CNI_... variables and a configuration on standard\n' +
    'input. `install` puts a program named fairway into the folder of plugins, and a configuration that takes ranges and\n' +
    "MTU from flannel's subnet.env.",
  examples: ['fairway cni install', 'fairway cni install --bin-dir /usr/lib/cni --hairpin-mode none'],
  flags: {
    binDir: text({ help: 'folder of plugins', default: '/opt/cni/bin', placeholder: 'DIR' }),
    confDir: text({ help: 'folder of configurations', default: '/etc/cni/net.d', placeholder: 'DIR' }),
    subnetFile: text({ help: 'what flannel writes', default: '/run/flannel/subnet.env', placeholder: 'FILE' }),
    hairpinMode: choice(hairpinModes, {
      help: 'how a pod reaches itself through its Service',
      default: 'hairpin-veth',
    }),
  },
  async run(options, words, { stdout, env }) {
    if (words[0] === 'install' && words.length === 1) {
      const { binDir, confDir } = options
      write(binDir, 'fairway', program(), 0o755)
      write(confDir, '10-fairway.conflist', renderSubnetFileConflist(options.subnetFile, options.hairpinMode), 0o644)
      stdout.write(`${join(binDir, 'fairway')}\n${join(confDir, '10-fairway.conflist')}\n`)
      return 0
    }
    if (words.length > 0 || env['CNI_COMMAND'] === undefined)
      throw new UserError(words.length > 0 ? `cni takes no argument "${words[0]}"` : 'CNI_COMMAND is not set', {
        code: 'BadArgument',
        exitCode: 2,
        remedy: 'a container runtime calls this; for people there is: fairway cni install',
      })
    const { exitCode, body } = answerCni(env, readFileSync(0, 'utf8'))
    if (body !== undefined) stdout.write(`${JSON.stringify(body, undefined, 2)}\n`)
    return exitCode
  },
})

const program = () =>
  `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${resolve(import.meta.dirname, '../main.ts')}' cni\n`

/** Whole or not at all: a runtime may be reading. */
function write(folder: string, name: string, content: string, mode: number): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, name)
  writeFileSync(`${path}.new`, content)
  chmodSync(`${path}.new`, mode)
  renameSync(`${path}.new`, path)
}
