export { type AnyJob, defineJob, type JobDefinition, type JobModule, type NodeContext } from './definition'
export { type KafkaJobDefinition, kafkaJob, type SharedJob } from './shared'
