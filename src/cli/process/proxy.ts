// `fairway proxy`: the Service proxy of one node alone, with kube-proxy's flags and configuration file.
import { readFileSync, writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { partCommand, partFlags } from '#cli/part-command.ts'
import { proxyFlags, proxyOptions } from '#cli/process/proxy-flags.ts'
import { connect } from '#client/client.ts'
import { type ClientConfig, loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { kebab, type OptionsOf } from '#daemon/flags.ts'
import { createLogger, type Logger } from '#daemon/log.ts'
import { readConfigFile, type ReadConfig, unneededFlags } from '#proxy/config-file.ts'
import { configuration } from '#proxy/configuration.ts'
import { initialize } from '#proxy/kernel-settings.ts'
import { cleanup } from '#proxy/leftovers.ts'
import { run } from '#proxy/main.ts'

const allFlags = { ...proxyFlags, ...partFlags }
type Options = OptionsOf<typeof allFlags>

export const proxy = partCommand({
  name: 'proxy',
  summary: "write the cluster's Services into this node's kernel",
  description:
    'Does what kube-proxy does, with its flags, configuration file, rules and metrics; the rights of `system:node-proxier` are\n' +
    'enough. Rules stay when it ends, and are taken over when it starts again.',
  examples: [
    'fairway proxy --cluster-cidr 10.244.0.0/16                  # in a pod on the host network',
    'fairway proxy --config config.conf --hostname-override node-1   # as kubeadm starts kube-proxy',
    'fairway proxy --kubeconfig proxy.conf --hostname-override node-1 --proxy-mode iptables',
    'fairway proxy --cleanup                                     # take all rules away',
  ],
  flags: proxyFlags,
  async run(said, context, given) {
    if (said.cleanup) return cleanup(context.log)
    const file =
      said.config === undefined
        ? undefined
        : readConfig(said.config, given.has('proxyMode') ? said.proxyMode : undefined)
    const options = file === undefined ? said : merge(said.config!, file, said, given)
    const log =
      options.logFormat === said.logFormat && options.v === said.v && options.loggingFormat === undefined
        ? context.log
        : newLog(options)
    tellUnneeded(file, given, log)
    const meant = proxyOptions(options)
    if (options.writeConfigTo !== undefined) return writeConfig(options.writeConfigTo, configuration(meant))
    if (options.initOnly) return initialize(meant, log)
    await run({ ...meant, client: connect(clientConfig(options)) }, { ...context, log })
  },
})

/** As with kube-proxy, an address alone is enough for a server that asks nobody for a name. */
function clientConfig({ kubeconfig, master }: Options): ClientConfig {
  try {
    const config = loadKubeconfig(kubeconfig)
    return master === undefined ? config : { ...config, server: master }
  } catch (error) {
    const isMissing = kubeconfig === undefined && error instanceof UserError && error.code === 'NoKubeconfig'
    if (master === undefined || !isMissing) throw error
    return { server: master }
  }
}

function readConfig(path: string, mode: Options['proxyMode'] | undefined): ReadConfig {
  try {
    return readConfigFile(readFileSync(path, 'utf8'), mode)
  } catch (error) {
    const remedy = error instanceof UserError ? error.remedy : undefined
    throw new UserError(`--config ${path}: ${(error as Error).message}`, {
      code: 'BadConfig',
      exitCode: 2,
      remedy,
      cause: error,
    })
  }
}

/** The file's values are read by the flags that mean the same. */
function merge(path: string, { values }: ReadConfig, said: Options, given: ReadonlySet<string>): Options {
  const read = values
    .filter(({ flag }) => !given.has(flag))
    .map(({ field, flag, text }) => {
      const result = allFlags[flag as keyof typeof allFlags].parse(text, undefined)
      if (typeof result !== 'string') return [flag, result.value]
      throw new UserError(`--config ${path}: ${field} ${result}, not "${text}"`, { code: 'BadConfig', exitCode: 2 })
    })
  return { ...said, ...(Object.fromEntries(read) as Partial<Options>) }
}

const newLog = ({ logFormat, loggingFormat, v: level }: Options): Logger =>
  createLogger({ format: loggingFormat ?? logFormat, level, write: (line) => void process.stderr.write(line) })

function tellUnneeded(file: ReadConfig | undefined, given: ReadonlySet<string>, log: Logger): void {
  for (const [name, why] of Object.entries(unneededFlags))
    if (given.has(name)) log.warn(`--${kebab(name)} has no effect: ${why}`)
  for (const { field, why } of file?.notes ?? []) log.warn(`${field} of the configuration has no effect: ${why}`)
}

function writeConfig(path: string, config: unknown): void {
  try {
    writeFileSync(path, stringify(config))
  } catch (error) {
    throw new UserError(`--write-config-to ${path}: ${(error as Error).message}`, { code: 'BadFlag', cause: error })
  }
}
