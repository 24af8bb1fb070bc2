// effect: imported images of a cluster
// `fairway image import|list|remove`: container images from files, since nothing is pulled.
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { list, text } from '#daemon/flags.ts'
import { version } from '#daemon/version.ts'
import { renderTable } from '#lib/table.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { lockCluster } from '#lab/lock.ts'
import { checkPlatform } from '#lab/machine.ts'
import { observePlatform } from '#lab/observe-machine.ts'
import { listImages, removeImage, type StoredImage } from '#node/images/image-store.ts'

export const imageBuild = defineCommand({
  name: 'image build',
  summary: 'make a container image of Fairway itself, for clusters that it did not make',
  usage: 'FILE.tar [flags]',
  description:
    'An OCI image layout with this checkout, its Node, and the C library and shell of this machine; nothing is pulled. Load\n' +
    'it with `docker load`, `ctr -n k8s.io images import` or `kind load image-archive`; `fairway` is its entry point. The\n' +
    'manifests in deploy/ use it. The proxy needs nothing else in nftables mode; iptables and IPVS mode need --package iptables,\n' +
    'an Ingress controller --package haproxy.',
  examples: [
    'fairway image build fairway.tar',
    'fairway image build fairway.tar --package iptables,haproxy --tag example.org/fairway:1',
  ],
  flags: {
    tag: text({ help: 'the name that the image gets', placeholder: 'NAME:TAG', default: `fairway:${version}` }),
    package: list({ help: 'Debian packages, installed here, whose files go into it too', placeholder: 'NAME' }),
  },
  async run({ tag, package: packages }, [file, ...more], { stdout }) {
    if (file === undefined || more.length > 0 || !/[^/]:[\w][\w.-]*$/.test(tag))
      throw new UserError(file === undefined || more.length > 0 ? 'into which file?' : `"${tag}" has no tag`, {
        code: 'BadArgument',
        exitCode: 2,
        remedy: 'for example: fairway image build fairway.tar --tag example.org/fairway:1',
      })
    const { buildImage } = await import('#lab/image/build-image.ts')
    const bytes = await buildImage(file, { name: tag, packages })
    stdout.write(`${file}: ${tag}, ${(bytes / 2 ** 20).toFixed(1)} MiB\n`)
    return 0
  },
})

export const imageImport = defineCommand({
  name: 'image import',
  summary: 'bring a container image into a cluster',
  usage: 'NAME (FILE.tar | --rootfs DIR) [flags]',
  description:
    'From an archive of `docker save`, an OCI image layout (archive or folder), or a folder that becomes the root file\n' +
    'system. Entrypoint, command, environment, user, working directory and stop signal of the image are honoured. All\n' +
    'nodes of the cluster have the image at once, under the name that pods use.',
  examples: [
    'docker save my-app:1.0 > my-app.tar && fairway image import my-app:1.0 my-app.tar',
    'fairway image import debian:12 --rootfs /srv/debian   # as debootstrap makes it',
  ],
  flags: {
    rootfs: text({ help: 'a folder that becomes the root file system of the image', placeholder: 'DIR' }),
    ...clusterFlags,
  },
  async run({ rootfs, name }, [image, file, ...more], { stdout }) {
    if (image === undefined || more.length > 0 || (file === undefined) === (rootfs === undefined))
      throw new UserError('which name, and from which file?', {
        code: 'BadArgument',
        exitCode: 2,
        remedy: 'for example: fairway image import my-app:1.0 my-app.tar   (or --rootfs DIR in place of the file)',
      })
    checkPlatform(observePlatform())
    const { images } = requireCluster(name).paths
    using _lock = lockCluster(name)
    const { importArchive, importFolder } = await import('#node/images/import-image.ts')
    const stored = await (rootfs === undefined
      ? importArchive(images, image, file!)
      : importFolder(images, image, rootfs))
    stdout.write(renderImages([stored]))
    return 0
  },
})

export const imageList = defineCommand({
  name: 'image list',
  summary: 'the images that were imported into a cluster',
  usage: '[flags]',
  examples: ['fairway image list'],
  flags: clusterFlags,
  async run({ name }, rest, { stdout }) {
    takesNone('image list', rest)
    const all = listImages(requireCluster(name).paths.images)
    stdout.write(all.length === 0 ? 'No image was imported.\n' : renderImages(all))
    return 0
  },
})

export const imageRemove = defineCommand({
  name: 'image remove',
  summary: 'take an imported image away again',
  usage: 'NAME [flags]',
  description: 'Containers that run go on; new ones find the image no more.',
  examples: ['fairway image remove my-app:1.0'],
  flags: clusterFlags,
  async run({ name }, rest) {
    const { images } = requireCluster(name).paths
    using _lock = lockCluster(name)
    const [image] = rest
    if (image !== undefined && rest.length === 1 && removeImage(images, image)) return 0
    const known = listImages(images).map((one) => one.name)
    throw new UserError(image === undefined || rest.length > 1 ? 'which image?' : `no image "${image}" was imported`, {
      code: 'NoSuchImage',
      exitCode: image === undefined || rest.length > 1 ? 2 : 1,
      remedy: known.length === 0 ? 'there are none' : `there are: ${known.join(', ')}`,
    })
  },
})

const renderImages = (images: readonly StoredImage[]): string =>
  renderTable([
    ['IMAGE', 'ID', 'LAYERS', 'SIZE', 'RUNS'],
    ...images.map(({ name, id, layers, sizeBytes, defaults }) => [
      name,
      id.slice(0, 19),
      String(layers.length),
      `${(sizeBytes / 2 ** 20).toFixed(1)} MiB`,
      [...defaults.entrypoint, ...defaults.cmd].join(' ') || '<nothing>',
    ]),
  ])
