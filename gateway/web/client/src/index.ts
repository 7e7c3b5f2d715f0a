// @peal/client: everything that an application may use.
export { PealError, type LocalCode } from "./errors.ts";
export { Peal, type PealEvents } from "./peal.ts";
export { Subscription, type SubscriptionEvents } from "./subscription.ts";
export type {
  ConnectionState, PealOptions, Position, Publication, Published, PublishedEach, PublishOptions,
  SubscribeOptions, SubscriptionState, WebSocketClass, WebSocketLike,
} from "./types.ts";
