export { defineJob, type JobDefinition, type JobModule, type NodeContext } from './definition'
