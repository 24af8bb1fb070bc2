// `fairway provisioner`: makes volumes for claims, on the disk of the node that it runs on.
import { hostname } from 'node:os'
import { partCommand } from '#cli/part-command.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { address, list, text } from '#daemon/flags.ts'
import { provisionerHealth, run } from '#storage/main.ts'

export const provisioner = partCommand({
  name: 'provisioner',
  summary: 'volumes for claims, on the disk of this node, of the size that was asked for',
  description:
    'Serves StorageClasses with `provisioner: fairway/local`, on each node for the pods that go there. A volume is a sparse\n' +
    'file with a file system in it: its size is a limit, and it can grow while it is in use. Needs root.',
  examples: [
    'fairway provisioner --kubeconfig node-1.conf --node-name node-1 --folder /var/lib/fairway-volumes',
    'fairway provisioner --kubeconfig node-1.conf --named-folder fast=/mnt/nvme,big=/mnt/disks',
  ],
  flags: {
    nodeName: text({ help: 'name of the Node; default: the host name', placeholder: 'NAME', env: 'NODE_NAME' }),
    namedFolder: list({
      help: 'more folders, for classes with the parameter `folder: NAME`: other disks of this node',
      placeholder: 'NAME=DIR',
    }),
    folder: text({ help: 'where the volumes lie', default: '/var/lib/fairway-volumes', placeholder: 'DIR' }),
    healthAddress: address({
      help: 'where /healthz, /readyz and /metrics answer; 0: nowhere',
      default: `${provisionerHealth.host}:${provisionerHealth.port}`,
    }),
  },
  run: ({ kubeconfig, nodeName, folder, namedFolder, healthAddress: health }, context) =>
    run(
      {
        client: connect(loadKubeconfig(kubeconfig)),
        nodeName: (nodeName ?? hostname()).trim().toLowerCase(),
        folder,
        namedFolders: readFolders(namedFolder),
        health,
      },
      context,
    ),
})

/** Throws UserError at what is no NAME=DIR. */
function readFolders(words: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    words.map((word) => {
      const [, name, folder] = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(\/.+)$/.exec(word) ?? []
      if (name !== undefined && folder !== undefined) return [name, folder]
      throw new UserError(`--named-folder ${JSON.stringify(word)} is no NAME=DIR`, {
        code: 'BadOption',
        remedy: 'give a name and a folder from the root on, as --named-folder fast=/mnt/nvme',
      })
    }),
  )
}
