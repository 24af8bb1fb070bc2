import { defineCommand } from '#daemon/command.ts'
import { kubernetesVersion, version as own } from '#daemon/version.ts'

export const version = defineCommand({
  name: 'version',
  summary: 'print the versions of Fairway, of the Kubernetes API that it serves, and of Node',
  usage: '',
  examples: ['fairway version'],
  flags: {},
  run: async (_options, _rest, { stdout }) => {
    stdout.write(`fairway ${own}\nkubernetes ${kubernetesVersion}\nnode ${process.version}\n`)
  },
})
