"""What a program with LlamaIndex does with the endpoint; prints one JSON object of what it got."""

from __future__ import annotations

import json
import sys
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

url, key = sys.argv[1:]
question = "What do visitors pay a night?"
llm = OpenAILike(model="default", api_base=url, api_key=key, is_chat_model=True, context_window=4096, max_retries=0)
messages = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=question)]
found: dict[str, Any] = {"answer": llm.chat(messages).message.content}
found["streamed"] = "".join(piece.delta or "" for piece in llm.stream_chat(messages))
found["completed"] = llm.complete(question).text
embeddings = OpenAILikeEmbedding(model_name="switchyard/embeddings", api_base=url, api_key=key, max_retries=0)
found["dimensions"] = [len(vector) for vector in embeddings.get_text_embedding_batch(["a mooring", "a berth"])]
sys.stdout.write(json.dumps(found) + "\n")
