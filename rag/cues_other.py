"""Cues of markup and of chat formats, and of languages other than English; as in `cues_english`, on folded text."""

# ruff: noqa: RUF001, RUF003 - letters of other scripts are what this is about

from __future__ import annotations

from rag.cues import cue as _cue

MARKERS = (
    _cue(
        "marker",
        1.0,
        r"<\|[^<>\n]{0,40}\|?>|\[/?inst\]|<</?sys>>|</?s>|<(?:start|end)_of_(?:turn|image|utterance)>|<(?:bos|eos|",
        r"pad|unk|image|image_soft_token)>|<\W?begin\W?of\W?sentence",
    ),
    _cue(
        "marker",
        1.0,
        r"</?(?:system|assistant|user|human|instructions?|prompt|tool_call|think|admin)\b[^<>]{0,40}>|",
        r"\[/?(?:system|assistant|user|admin|instructions?)\b[^\[\]]{0,30}\]|#{2,}\s*(?:new )?(?:system|",
        r"instructions?|user|assistant|response|human|input|task|prompt)\b|\brole[\"']?\s*[:=]\s*[\"']?(?:system|",
        r"developer|assistant|user)\b",
    ),
    _cue("marker", 0.6, r"<!--|\{\{|\{%"),
    _cue("role", 0.4, r"(?:^|[.!?\"')\]}>|*\n-]\s*)(?:system|assistant|user|human|developer|ai|bot|admin)\s*:"),
    _cue(
        "role",
        1.0,
        r"\b(?:user|human)\s*:.{1,300}\b(?:assistant|ai|bot)\s*:|\bassistant\s*: (?:sure|certainly|of course|ok)\b",
    ),
)
"""One speaker's label is ordinary prose ("System: renal"), two are a conversation."""

OTHERS = (
    # German
    _cue(
        "override",
        1.0,
        r"\b(?:ignorier\w*|missacht\w*|vergiss|vergesst|vergessen sie|beachte\w*(?: sie)? nicht|",
        r"uberge\w+)\b[^.!?\n]{0,40}\b(?:bild\w*|anweisung\w*|instruktion\w*|vorgabe\w*|aufnahme|alles|regeln|",
        r"prompt\w*|kontext)",
    ),
    _cue(
        "order",
        0.7,
        r"\b(?:antworte\w*|schreib\w*|sag\w*|gib|geben|behaupte\w*|melde\w*|",
        r"beschreib\w*)\b(?: sie)?(?: bitte)?(?: stattdessen| nur| ausschliesslich| immer| lediglich| mit| auf|",
        r",? dass|:| einfach| als)+",
    ),
    _cue(
        "person",
        0.8,
        r"\b(?:du bist|sie sind) (?:jetzt|nun|ab sofort|ein\w* (?:assistent|ki|modell|radiolog|pirat))|\bals ki\b|",
        r"\b(?:deine|ihre) (?:anweisungen|antwort|ausgabe|beschreibung)|\bab (?:jetzt|sofort)\b|\bki-?modell",
    ),
    _cue("rule", 0.4, r"\b(?:nenne\w*|erwahne\w*|verschweig\w*)\b(?: sie)?"),
    # French
    _cue(
        "override",
        1.0,
        r"\b(?:ignore[zr]?|oublie[zr]?|neglige[zr]?|ne (?:tiens|tenez) (?:pas|aucun) compte|",
        r"(?:ne )?pas tenir compte|faites abstraction|ignorer|fais abstraction)\b[^.!?\n]{0,40}\b(?:image|figure|",
        r"instructions?|consignes?|precedent\w*|cliche|tout|contexte|photo)",
    ),
    _cue(
        "order",
        0.7,
        r"\b(?:repond(?:s|ez)|dis|dites|ecri(?:s|vez)|decri(?:s|vez)|indique[zs]?|affirme[zs]?|conclue[zs]|",
        r"conclus|affiche[zs]?|veuillez \w+)\b(?: plutot| simplement| uniquement| seulement| toujours| en| par|",
        r" que|:| qu'| a la place)+",
    ),
    _cue(
        "person",
        0.8,
        r"\b(?:vous etes|tu es) (?:maintenant|desormais|un\w* (?:assistant|ia|modele|radiolog|pirate))|\b(?:tes|",
        r"vos) (?:instructions|consignes)|\b(?:ta|votre) (?:reponse|description|sortie)|\ba partir de maintenant",
    ),
    # Spanish, Portuguese, Italian
    _cue(
        "override",
        1.0,
        r"\b(?:ignor(?:a|e|ar|en|ad|em|ate|i)|olvid(?:a|e|en|ar)|descart(?:a|e)|no (?:tengas|tenga|",
        r"hagas) (?:en cuenta|caso)|haz caso omiso|omit(?:a|e)|esquec(?:a|am)|esqueca|desconsider(?:e|a|em)|",
        r"nao (?:considere|leve)|dimentic(?:a|ate|hi)|non (?:considerare|tenere conto)|trascura(?:te|",
        r"re)?)\b[^.!?\n]{0,40}\b(?:imagen|imagem|immagin\w+|instrucci\w+|instruc\w+|istruzion\w+|anterior\w*|",
        r"precedent\w*|todo|tudo|tutto|tutte|indicaciones|contexto|contesto|reglas|regras|regole|foto\w*)",
    ),
    _cue(
        "order",
        0.7,
        r"\b(?:respond(?:e|a|er|an|am)|contesta|conteste|rispondi|rispondete|di|diga|diz|dica|escrib(?:e|a)|",
        r"escreva|scriv(?:i|ete)|describ(?:e|a)|descreva|descriv(?:i|ete)|afirm(?:a|e)|informe|conclu(?:ye|ya|",
        r"a))(?:\s+(?:solo|solamente|unicamente|siempre|simplemente|apenas|somente|sempre|soltanto|solamente|",
        r"semplicemente|en su lugar|invece)\b|\s+(?:que|che|con|com|in json|en json|em json)\b|:)+",
    ),
    _cue(
        "person",
        0.8,
        r"\b(?:ahora eres|eres (?:ahora|un\w* (?:asistente|ia|modelo))|a partir de (?:ahora|agora)|voce (?:e|",
        r"agora|deve)|(?:sei|siete) (?:ora|adesso|un\w* (?:assistente|ia|modello))|d'ora in poi|tus instrucciones|",
        r"suas instrucoes|le tue istruzioni|tu respuesta|sua resposta|la tua risposta|modelo de lenguaje|",
        r"modelo de linguagem)\b",
    ),
    # Dutch, Polish, Turkish
    _cue(
        "override",
        1.0,
        r"\b(?:negeer|vergeet)\b[^.!?\n]{0,40}\b(?:afbeelding|beeld|instructies|alles|vorige)|\b(?:zignoruj|pomin|",
        r"zapomnij)\b[^.!?\n]{0,40}\b(?:obraz\w*|instrukcj\w*|poprzedni\w*|wszystk\w*)|\b(?:goruntuyu|",
        r"talimatlar\w*|gorseli)\b[^.!?\n]{0,30}\b(?:yok say|gormezden gel|unut)",
    ),
)

OTHER_SCRIPTS = (
    # Russian and Ukrainian, folded: й is и, ё is е
    _cue(
        "override",
        1.0,
        r"(?:игнориру\w+|проигнориру\w+|забуд\w+|не обраща\w+ внимани\w+|не учитыва\w+|ігнору\w+|",
        r"отмен\w+)[^.!?\n]{0,40}(?:изображени|инструкци|предыдущ|указани|картинк|снимок|снимк|все|зображенн|",
        r"промпт|правил)",
    ),
    _cue(
        "order",
        0.7,
        r"(?:ответь|отвеча\w+|напиш\w+|скаж\w+|опиш\w+|сообщ\w+|укаж\w+|утвержда\w+|",
        r"вывед\w+)(?:те)?(?: вместо этого| только| просто| всегда|,? что|:| на| в формате)+",
    ),
    _cue(
        "person",
        0.8,
        r"(?:ты|вы) (?:теперь|больше не|должны?|—|-|являе\w+)|(?:твои|ваши) инструкции|языков\w+ модел|(?:твои|",
        r"ваш|ваше|твое) (?:ответ|описание)",
    ),
    # Chinese, Japanese, Korean
    _cue(
        "override",
        1.0,
        r"(?:忽略|无视|無視|忽视|忽視|不要理会|不要理會|不理会|忘记|忘記|忘掉|不要看|跳过|別管|别管|",
        r"抛开)[^。！？\n]{0,16}(?:图像|圖像|图片|圖片|影像|指令|指示|说明|說明|提示|以上|之前|上述|前面|所有|",
        r"规则|内容|命令|画像)|(?:画像|指示|命令|上記|これまで)[^。\n]{0,12}(?:無視|忘れ)|(?:이미지|지시|명령|",
        r"이전)[^.\n]{0,16}(?:무시|잊)",
    ),
    _cue(
        "order",
        0.8,
        r"(?:只|请|請|直接|必须|必須|改为|改成|一律|始终|仅|应该|总是)(?:要|需|能|用)?(?:回答|输出|輸出|回复|回覆|",
        r"写|寫|说|說|描述|报告|返回|声明)|(?:回答|输出|回复|说|写)(?:道)?[:“\"「]|と(?:答え|書い|言っ|出力し)|",
        r"라고 (?:답|말|쓰|출력)",
    ),
    _cue(
        "person",
        0.8,
        r"你(?:现在|現在)?(?:是一|不再|必须|必須|的(?:回答|任务|任務|输出|提示|系统|指令))|从现在(?:开始|起)|",
        r"系统提示|語言模型|语言模型|あなたは",
    ),
    # Arabic
    _cue("override", 1.0, r"(?:تجاهل|انس|اهمل)[^.!؟\n]{0,30}(?:الصورة|التعليمات|السابقة|كل)"),
)
