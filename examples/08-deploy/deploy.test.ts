import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { validate as lintDockerfile } from 'dockerfile-utils'
import { parse } from 'yaml'

const file = (...path: string[]) => readFileSync(join(__dirname, ...path), 'utf8')
const manifests = readdirSync(join(__dirname, 'kubernetes'))

/** The class that checks such an object against the schema of its kind. */
async function modelOf({ apiVersion, kind }: { apiVersion: string; kind: string }) {
  const path = apiVersion.startsWith('keda.sh/')
    ? `@kubernetes-models/keda/${apiVersion}/${kind}`
    : `kubernetes-models/${apiVersion}/${kind}`
  const module = (await import(path)) as Record<string, new (data: unknown) => { validate(): void }>
  return module[kind]!
}

describe('example 8: deploying', () => {
  it('has a Dockerfile without a fault, in stages, that does not run as root', () => {
    const text = file('Dockerfile')
    assert.deepEqual(
      lintDockerfile(text).map(({ message, range }) => `line ${range.start.line + 1}: ${message}`),
      [],
    )
    const stages = text.split(/^FROM /m).slice(1)
    assert.equal(stages.length, 2)
    const last = stages.at(-1)!
    assert.match(last, /^COPY --from=build /m)
    assert.match(last, /^USER 10001:10001$/m)
    assert.ok(last.indexOf('USER') > last.lastIndexOf('RUN'), 'nothing is installed as that user')
    assert.match(last, /^ENTRYPOINT \["node"/m)
    for (const [, sources] of text.matchAll(/^COPY (?!--)(.+) \S+$/gm)) {
      for (const source of sources!.split(' ').filter((one) => one !== '.' && !one.endsWith('*'))) {
        assert.ok(readdirSync(join(__dirname, 'app')).includes(source), `${source} is not in the app`)
      }
    }
  })

  it('finds faults in Dockerfiles', () => {
    assert.ok(lintDockerfile('FROM node\nCOPPY a b\n').length > 0)
  })

  it('has Kubernetes manifests that fit their schemas, and each other', async () => {
    const objects = new Map<string, Record<string, never>>()
    for (const name of manifests) {
      const object = parse(file('kubernetes', name))
      const Model = await modelOf(object)
      new Model(object).validate()
      objects.set(object.kind, object)
      assert.throws(() => new Model({ ...object, spec: 5, data: 5 }).validate(), Error, name)
    }
    assert.deepEqual([...objects.keys()].sort(), ['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'ScaledObject'])
    const deployment = parse(file('kubernetes', 'deployment.yaml'))
    const scaled = parse(file('kubernetes', 'scaledobject.yaml'))
    const config = parse(file('kubernetes', 'configmap.yaml'))
    const pod = deployment.spec.template
    const [container] = pod.spec.containers
    assert.deepEqual(deployment.spec.selector.matchLabels, pod.metadata.labels)
    assert.equal(scaled.spec.scaleTargetRef.name, deployment.metadata.name)
    const [trigger] = scaled.spec.triggers
    assert.equal(trigger.type, 'kafka')
    assert.equal(trigger.metadata.bootstrapServers, config.data.brokers)
    assert.equal(deployment.spec.replicas, undefined, 'two would decide how many there are')
    const main = file('app', 'main.mjs')
    assert.ok(
      main.includes(`name: '${trigger.metadata.consumerGroup}'`) &&
        main.includes(`topics: '${trigger.metadata.topic}'`),
    )
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      assert.equal(container[probe].httpGet.port, container.ports[0].name, probe)
    }
    const expose = /^EXPOSE (\d+)$/m.exec(file('Dockerfile'))![1]
    assert.equal(String(container.ports[0].containerPort), expose)
    assert.match(file('Dockerfile'), new RegExp(`^USER ${pod.spec.securityContext.runAsUser}:`, 'm'))
    assert.ok(container.volumeMounts.some((mount: { mountPath: string }) => mount.mountPath === '/var/lib/salaries'))
  })

  it('answers whether it lives and is ready', async () => {
    const { serveHealth } = await import('./app/health.mjs' as string)
    let ready = false
    const server = await serveHealth(0, () => ready)
    const ask = async (path: string) => (await fetch(`http://127.0.0.1:${server.address().port}${path}`)).status
    try {
      assert.deepEqual([await ask('/live'), await ask('/ready'), await ask('/')], [200, 503, 404])
      ready = true
      assert.equal(await ask('/ready'), 200)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('has a program that loads, and says what it lacks', () => {
    for (const name of ['main.mjs', 'health.mjs']) {
      execFileSync(process.execPath, ['--check', join(__dirname, 'app', name)])
    }
    const { dependencies } = JSON.parse(file('app', 'package.json')) as { dependencies: Record<string, string> }
    const imports = [...file('app', 'main.mjs').matchAll(/from '([^.n][^']*)'/g)].map(
      ([, name]) => name!.split('/')[0]!,
    )
    for (const name of imports) assert.ok(name in dependencies, name)
  })

  it('has a systemd unit whose options are known', () => {
    const text = file('rxjs-python.service')
    const sections = [...text.matchAll(/^\[(\w+)\]$/gm)].map(([, name]) => name)
    assert.deepEqual(sections, ['Unit', 'Service', 'Install'])
    assert.match(text, /^StateDirectoryMode=0700$/m)
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])
    // Longer than the node's own --patience, twice: to checkpoint, then by force.
    assert.ok(seconds > 20)
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return
    const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-unit-'))
    try {
      const verify = (content: string) => {
        writeFileSync(join(folder, 'rxjs-python.service'), content)
        const result = spawnSync('systemd-analyze', ['verify', join(folder, 'rxjs-python.service')], {
          encoding: 'utf8',
        })
        // What it says of other units of this machine is not about this one.
        return result.stderr.split('\n').filter((line) => line.includes('rxjs-python.service'))
      }
      // The program is where npm has put it on the server, not here.
      const here = text.replace('/usr/bin/rxjs-python', process.execPath)
      assert.deepEqual(verify(here), [])
      assert.notDeepEqual(verify(here.replace('KillMode=mixed', 'KillModes=mixed')), [])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
