import { text, toggle } from '#daemon/flags.ts'
import { clusterNameForm, isClusterName } from '#lab/options.ts'

/** For every command about a cluster on this machine. */
export const clusterFlags = {
  name: {
    ...text({
      help: 'which cluster, where there are several',
      default: 'fairway',
      placeholder: 'NAME',
      env: 'FAIRWAY_CLUSTER',
    }),
    parse: (word: string) => (isClusterName(word) ? { value: word } : `must be ${clusterNameForm}`),
  },
}

/** For commands that may have to change the machine so that it can carry a cluster. */
export const machineFlags = {
  install: toggle({ help: 'install Debian packages that are missing', default: true }),
  loadModules: toggle({ help: 'load kernel modules that are missing' }),
}
