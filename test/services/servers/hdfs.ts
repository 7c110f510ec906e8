import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { maven } from '../installing'
import type { Place, ServerDefinition } from '../server'

export const installation = maven('hdfs', [
  'org.apache.hadoop:hadoop-client-minicluster:3.4.1',
  'javax.xml.bind:jaxb-api:2.3.1',
])

/** A name node and a data node in one process. */
export const definition: ServerDefinition = {
  name: 'hdfs',
  ports: ['http'],
  command({ port, ports, folder }) {
    const data = join(folder, 'data')
    return {
      file: 'java',
      args: [
        ...['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(installation.libraries, '*')],
        'org.apache.hadoop.test.MiniDFSClusterManager',
        ...(existsSync(data) ? [] : ['-format']),
        ...['-datanodes', '1', '-nnport', `${port}`, '-httpport', `${ports.http}`],
        ...['-D', `hdfs.minidfs.basedir=${data}`],
      ],
    }
  },
  ready: async (place) => writes(place),
}

/** Whether a data node is there, too: only then is the name node out of its safe mode, and names one. */
async function writes({ ports }: Place): Promise<boolean> {
  const url = `http://127.0.0.1:${ports.http}/webhdfs/v1/ready?op=CREATE&overwrite=true&user.name=root`
  const answer = await fetch(url, { method: 'PUT', redirect: 'manual' })
  return answer.status === 307
}
