import { randomBytes } from "node:crypto";

/** Rooms as a homeserver keeps them: every event has a position in one stream. */

export interface StubEvent {
  readonly type: string;
  readonly event_id: string;
  readonly room_id: string;
  readonly sender: string;
  readonly origin_server_ts: number;
  readonly content: Readonly<Record<string, unknown>>;
  readonly state_key?: string;
  readonly unsigned: Record<string, unknown>;
}

export interface StubRoom {
  readonly id: string;
  readonly timeline: { readonly position: number; readonly event: StubEvent }[];
  /** Latest membership event by user, and its position. */
  readonly members: Map<string, { position: number; event: StubEvent }>;
  encryptedAt: number;
}

type Content = Readonly<Record<string, unknown>>;
type Filter = Readonly<Record<string, unknown>>;

export interface StubRooms {
  readonly rooms: ReadonlyMap<string, StubRoom>;
  readonly position: () => number;
  readonly create: (creator: string, displayName: string, id?: string) => StubRoom;
  readonly append: (
    roomId: string,
    event: { type: string; sender: string; content: Content; state_key?: string },
  ) => StubEvent;
  readonly setMembership: (
    roomId: string,
    user: { userId: string; displayName: string; sender?: string; isDirect?: boolean },
    membership: string,
  ) => StubEvent;
  readonly find: (roomId: string, eventId: string, reader: string) => StubEvent | undefined;
  readonly redact: (roomId: string, eventId: string) => void;
  /** Brings the last event of a person again. */
  readonly repeat: (roomId: string, sender: string) => void;
  /** The answer to a sync; whether anything is in it. */
  readonly sync: (
    userId: string,
    since: number | undefined,
    filter: Filter,
  ) => { readonly hasNews: boolean; readonly answer: Record<string, unknown> };
  /** The answer to a question for messages, newest first. */
  readonly before: (
    roomId: string,
    range: { from: number; to: number | undefined; limit: number },
    reader: string,
    filter: Filter,
  ) => Record<string, unknown>;
}

const at = (value: unknown, ...names: readonly string[]): unknown => {
  let found = value;
  for (const name of names) found = (found as Record<string, unknown> | undefined)?.[name];
  return found;
};

export function createStubRooms(onChange: () => void): StubRooms {
  const rooms = new Map<string, StubRoom>();
  let position = 0;

  const roomOf = (roomId: string): StubRoom => {
    const room = rooms.get(roomId);
    if (room === undefined) throw new Error(`no room ${roomId}`);
    return room;
  };

  const append: StubRooms["append"] = (roomId, { type, sender, content, ...rest }) => {
    position += 1;
    const event: StubEvent = {
      type,
      event_id: `$${randomBytes(32).toString("base64url")}`,
      room_id: roomId,
      sender,
      origin_server_ts: Date.now(),
      content,
      ...rest,
      unsigned: {},
    };
    const room = roomOf(roomId);
    room.timeline.push({ position, event });
    if (type === "m.room.encryption") room.encryptedAt = position;
    onChange();
    return event;
  };

  const setMembership: StubRooms["setMembership"] = (roomId, user, membership) => {
    const { userId, displayName, sender = userId, isDirect = false } = user;
    const { members } = roomOf(roomId);
    const before = members.get(userId);
    const event = append(roomId, {
      type: "m.room.member",
      sender,
      state_key: userId,
      content: {
        membership,
        displayname: displayName,
        ...(isDirect ? { is_direct: true } : {}),
      },
    });
    if (before !== undefined) {
      event.unsigned["prev_content"] = before.event.content;
      event.unsigned["replaces_state"] = before.event.event_id;
    }
    members.set(userId, { position, event });
    onChange();
    return event;
  };

  const membershipOf = (room: StubRoom, userId: string): string =>
    (room.members.get(userId)?.event.content["membership"] as string | undefined) ?? "";

  /** The event with what others made of it. */
  const withRelations = (room: StubRoom, event: StubEvent, reader: string): StubEvent => {
    const related = room.timeline
      .map((entry) => entry.event)
      .filter(({ content }) => at(content, "m.relates_to", "event_id") === event.event_id);
    const of = (kind: string): StubEvent[] =>
      related.filter(({ content }) => at(content, "m.relates_to", "rel_type") === kind);
    const [thread, edits] = [of("m.thread"), of("m.replace")];
    const relations = {
      ...(thread.length > 0
        ? {
            "m.thread": {
              count: thread.length,
              latest_event: thread.at(-1),
              current_user_participated:
                event.sender === reader || thread.some(({ sender }) => sender === reader),
            },
          }
        : {}),
      ...(edits.length > 0 ? { "m.replace": edits.at(-1) } : {}),
    };
    if (Object.keys(relations).length === 0) return event;
    return { ...event, unsigned: { ...event.unsigned, "m.relations": relations } };
  };

  const isWanted =
    (filter: unknown) =>
    ({ event }: { event: StubEvent }): boolean => {
      const types = at(filter, "types") as readonly string[] | undefined;
      const notSenders = at(filter, "not_senders") as readonly string[] | undefined;
      if (notSenders?.includes(event.sender) === true) return false;
      return types === undefined || types.includes(event.type);
    };

  const memberEvents = (room: StubRoom, events: readonly StubEvent[]): StubEvent[] =>
    [...new Set(events.map(({ sender }) => sender))].flatMap(
      (sender) => room.members.get(sender)?.event ?? [],
    );

  const syncRoom = (
    room: StubRoom,
    userId: string,
    since: number | undefined,
    filter: Filter,
  ): Record<string, unknown> | undefined => {
    const joinedAt = room.members.get(userId)?.position ?? 0;
    const isNew = since === undefined || joinedAt > since;
    // Of a room somebody has just come to, what was said before is shown as well.
    const wanted = room.timeline
      .filter((entry) => isNew || entry.position > since)
      .filter(isWanted(at(filter, "room", "timeline")));
    if (wanted.length === 0) return undefined;
    const limit = Number(at(filter, "room", "timeline", "limit") ?? 10);
    const kept = wanted.slice(-limit);
    const events = kept.map(({ event }) => withRelations(room, event, userId));
    const memberships = [...room.members.values()].filter(
      (entry) => isNew || entry.position > since,
    );
    const count = (membership: string): number =>
      [...room.members.keys()].filter((member) => membershipOf(room, member) === membership).length;
    const isEncryptionNew = room.encryptedAt > (isNew ? 0 : since);
    const inTimeline = new Set(events.map((event) => event.event_id));
    return {
      summary:
        memberships.length === 0
          ? {}
          : { "m.joined_member_count": count("join"), "m.invited_member_count": count("invite") },
      state: {
        events: [
          ...memberEvents(room, events),
          ...(isEncryptionNew
            ? room.timeline
                .map(({ event }) => event)
                .filter(({ type }) => type === "m.room.encryption")
            : []),
        ].filter((event) => !inTimeline.has(event.event_id)),
      },
      timeline: {
        events,
        limited: kept.length < wanted.length,
        prev_batch: `t${kept[0]?.position ?? position}`,
      },
      ephemeral: { events: [] },
      account_data: { events: [] },
      unread_notifications: {},
    };
  };

  return {
    rooms,
    position: () => position,
    create: (creator, displayName, id = `!${randomBytes(12).toString("base64url")}:hs.test`) => {
      rooms.set(id, { id, timeline: [], members: new Map(), encryptedAt: 0 });
      append(id, {
        type: "m.room.create",
        sender: creator,
        state_key: "",
        content: { room_version: "11" },
      });
      setMembership(id, { userId: creator, displayName }, "join");
      return roomOf(id);
    },
    append,
    setMembership,
    find: (roomId, eventId, reader) => {
      const room = rooms.get(roomId);
      const found = room?.timeline.find(({ event }) => event.event_id === eventId);
      return room && found && withRelations(room, found.event, reader);
    },
    repeat: (roomId, sender) => {
      const { timeline } = roomOf(roomId);
      const last = timeline.findLast(({ event }) => event.sender === sender);
      if (last === undefined) return;
      position += 1;
      timeline.push({ position, event: last.event });
      onChange();
    },
    redact: (roomId, eventId) => {
      const entry = roomOf(roomId).timeline.find(({ event }) => event.event_id === eventId);
      if (entry === undefined) return;
      const redaction = append(roomId, {
        type: "m.room.redaction",
        sender: entry.event.sender,
        content: { redacts: eventId },
      });
      entry.event.unsigned["redacted_because"] = redaction;
      for (const name of Object.keys(entry.event.content))
        Reflect.deleteProperty(entry.event.content, name);
    },
    sync: (userId, since, filter) => {
      const join: Record<string, unknown> = {};
      const invite: Record<string, unknown> = {};
      const leave: Record<string, unknown> = {};
      for (const room of rooms.values()) {
        const own = room.members.get(userId);
        if (own === undefined) continue;
        const membership = membershipOf(room, userId);
        const isNew = own.position > (since ?? 0);
        if (membership === "join") {
          const news = syncRoom(room, userId, since, filter);
          if (news !== undefined) join[room.id] = news;
        } else if (membership === "invite" && isNew) {
          const { sender, type, content, state_key } = own.event;
          invite[room.id] = { invite_state: { events: [{ sender, type, content, state_key }] } };
        } else if (membership === "leave" && isNew && since !== undefined) {
          leave[room.id] = { timeline: { events: [own.event], limited: false } };
        }
      }
      const hasNews = [join, invite, leave].some((part) => Object.keys(part).length > 0);
      const answer = { next_batch: `s${position}`, rooms: { join, invite, leave } };
      return { hasNews, answer };
    },
    before: (roomId, { from, to, limit }, reader, filter) => {
      const room = roomOf(roomId);
      const entries = room.timeline
        .filter((entry) => entry.position < from && entry.position > (to ?? 0))
        .filter(isWanted(filter))
        .toReversed();
      const kept = entries.slice(0, limit);
      const events = kept.map(({ event }) => withRelations(room, event, reader));
      const last = kept.at(-1)?.position;
      return {
        chunk: events,
        state: memberEvents(room, events),
        start: `t${from}`,
        ...(entries.length > kept.length && last !== undefined ? { end: `t${last}` } : {}),
      };
    },
  };
}
