// Conversations as a JSON document, for taking them elsewhere and back.

import {checkedConversation, newId} from './conversation.mjs';

const kFormat = 'quern-conversations';
const kFormatVersion = 1;

export function exportText(conversations) {
  return JSON.stringify({format: kFormat, version: kFormatVersion, exported: new Date().toISOString(), conversations}, null, 1);
}

// The conversations of an exported document; throws an Error that says what is wrong with it.
export function importText(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error(`This file is not JSON: ${error.message}`);
  }
  if (document?.format !== kFormat || !Array.isArray(document.conversations)) throw new Error('This file holds no exported conversations.');
  if (document.version !== kFormatVersion) throw new Error(`This file has version ${JSON.stringify(document.version)}; this page reads version ${kFormatVersion}.`);
  return document.conversations.map((conversation, i) => {
    try {
      return checkedConversation(conversation);
    } catch (error) {
      throw new Error(`Conversation ${i + 1} of the file: ${error.message}.`);
    }
  });
}

// What to add of `incoming`: what is there already is left out, and what is there in another form comes beside it.
export function newOnes(incoming, existing) {
  const known = new Map(existing.map((conversation) => [conversation.id, conversation]));
  const result = [];
  for (const conversation of incoming) {
    const old = known.get(conversation.id);
    if (old && JSON.stringify(old.nodes) === JSON.stringify(conversation.nodes)) continue;
    const added = old ? {...conversation, id: newId()} : conversation;
    known.set(added.id, added);
    result.push(added);
  }
  return result;
}

export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
