import { text } from '#daemon/flags.ts'

/** For every command about a cluster on this machine. */
export const clusterFlags = {
  name: text({
    help: 'which cluster, where there are several',
    default: 'fairway',
    placeholder: 'NAME',
    env: 'FAIRWAY_CLUSTER',
  }),
}
