import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { maven } from '../installing'
import type { Place, ServerDefinition } from '../server'

export const installation = maven('artemis', [
  'org.apache.activemq:artemis-server:2.44.0',
  'org.apache.activemq:artemis-amqp-protocol:2.44.0',
])

export const PASSWORD = 'a-secret-of-artemis'

export function urlOf({ port }: Place): string {
  return `amqp://tester:${PASSWORD}@127.0.0.1:${port}`
}

/** A broker that speaks AMQP 1.0. Its journal is with the system before it answers, so a kill of the process loses nothing. */
export const definition: ServerDefinition = {
  name: 'artemis',
  prepare({ folder, port }) {
    writeFileSync(join(folder, 'broker.xml'), configuration(folder, port))
    writeFileSync(join(folder, 'Broker.java'), BROKER)
  },
  command: ({ folder }) => ({
    file: 'java',
    args: [
      ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(installation.libraries, '*')],
      join(folder, 'Broker.java'),
    ],
  }),
}

/** The program of the distribution is not in Maven Central; this one lets a user in whom we know. */
const BROKER = `import java.util.Map;
import java.util.Set;
import org.apache.activemq.artemis.core.config.impl.SecurityConfiguration;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.spi.core.security.ActiveMQJAASSecurityManager;
import org.apache.activemq.artemis.spi.core.security.jaas.InVMLoginModule;

public class Broker {
  public static void main(String[] args) throws Exception {
    var users = new SecurityConfiguration();
    users.addUser("tester", "${PASSWORD}");
    users.addRole("tester", "testers");
    var broker = new EmbeddedActiveMQ();
    broker.setSecurityManager(new ActiveMQJAASSecurityManager(InVMLoginModule.class.getName(), users));
    broker.setConfigResourcePath("file:broker.xml");
    broker.start();
  }
}
`

const RIGHTS = [
  'createAddress',
  'createNonDurableQueue',
  'createDurableQueue',
  'deleteNonDurableQueue',
  'send',
  'consume',
  'browse',
]

function configuration(folder: string, port: number): string {
  const folders = ['bindings', 'journal', 'paging', 'large-messages'].map((one) => {
    const path = join(folder, 'data', one)
    return `<${one}-directory>${path}</${one}-directory>`
  })
  const rights = RIGHTS.map((right) => `<permission type="${right}" roles="testers"/>`)
  return `<configuration xmlns="urn:activemq"><core xmlns="urn:activemq:core">
  <name>test</name>
  ${folders.join('\n  ')}
  <journal-type>NIO</journal-type>
  <journal-pool-files>2</journal-pool-files>
  <journal-file-size>1M</journal-file-size>
  <journal-datasync>false</journal-datasync>
  <acceptors><acceptor name="amqp">tcp://127.0.0.1:${port}?protocols=AMQP</acceptor></acceptors>
  <security-settings><security-setting match="#">${rights.join('')}</security-setting></security-settings>
  <address-settings>
    <address-setting match="#">
      <max-delivery-attempts>-1</max-delivery-attempts>
      <auto-delete-queues>false</auto-delete-queues>
      <auto-delete-addresses>false</auto-delete-addresses>
    </address-setting>
    <address-setting match="kept.#">
      <auto-create-queues>false</auto-create-queues>
      <auto-create-addresses>false</auto-create-addresses>
    </address-setting>
  </address-settings>
</core></configuration>
`
}
